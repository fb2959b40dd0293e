import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Album } from "../../src/domain/album.ts";
import type { Change } from "../../src/domain/change.ts";
import { StoreError } from "../../src/domain/errors.ts";
import type { EventData, StoredEvent } from "../../src/domain/event.ts";
import type { Image } from "../../src/domain/image.ts";
import type { Catalog, Totals, UndescribedImage } from "../../src/ports.ts";
import {
  albumNamed,
  blobOf,
  describing,
  imageNamed,
  loggedState,
  type OpenCatalog,
  type OpenedCatalog,
  pagesOf,
} from "./catalog-changes.ts";

type Step = (albumIds: readonly string[], undescribed: readonly UndescribedImage[]) => Change;

const name = fc.constantFrom("a", "b", "c", "d");
/** Contents of different sizes, so that bytes are counted and not files. */
const content = fc.constantFrom("x", "yy", "zzzz");
const album = fc.nat({ max: 3 });
const idOf = (albumIds: readonly string[], index: number) => albumIds[index % albumIds.length] ?? Bun.randomUUIDv7();

const steps: fc.Arbitrary<Step>[] = [
  name.map((n) => () => albumNamed(n)),
  fc.tuple(album, name).map(([of, n]) => (ids) => ({
    type: "updateAlbum",
    albumId: idOf(ids, of),
    patch: { name: n },
  })),
  fc
    .tuple(album, fc.constantFrom("create", "put"), fc.uniqueArray(name, { minLength: 1, maxLength: 3 }), content)
    .chain(([of, mode, names, text]) =>
      fc.option(fc.constantFrom("k1", "k2")).map(
        (key): Step =>
          (ids) => ({
            type: "putImages",
            albumId: idOf(ids, of),
            mode,
            images: names.map((n) => imageNamed(n, { blob: blobOf(text) })),
            ...(key === null ? {} : { idempotency: { scope: idOf(ids, of), key, fingerprint: names.join() } }),
          }),
      ),
    ),
  fc.tuple(album, name, name).map(([of, from, to]) => (ids) => ({
    type: "updateImage",
    albumId: idOf(ids, of),
    name: from,
    patch: { name: to },
  })),
  fc.tuple(album, name).map(([of, n]) => (ids) => ({ type: "deleteImage", albumId: idOf(ids, of), name: n })),
  fc.tuple(album, fc.nat({ max: 3 })).map(([of, atOnce]) => (ids) => ({
    type: "deleteAlbum",
    albumId: idOf(ids, of),
    recursive: true,
    atOnce,
  })),
  album.map((of) => (ids, undescribed) => {
    const { imageId, blobKey } = undescribed[of % undescribed.length] ?? { imageId: idOf(ids, of), blobKey: "none" };
    return describing(imageId, blobKey);
  }),
  album.map((of) => (ids) => ({ type: "deleteAlbumChunk", albumId: idOf(ids, of), limit: 1 })),
  fc.constant(() => ({ type: "beginBlobDeletion", grace: -60_000, limit: 3 })),
];

export function modelContract(open: OpenCatalog): void {
  test("whatever is done at the same time: counts, log, records and blobs agree", async () => {
    await using catalog = await open();
    const blobsPut = new Set<string>();
    /** Also those that are gone: what is begun on them must fail. */
    const albumIds: string[] = [];
    const together = fc.array(fc.oneof(...steps), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.array(together, { minLength: 1, maxLength: 6 }), async (rounds) => {
        for (const round of rounds) {
          const undescribed = await catalog.undescribedImages(100);
          const changes = round.map((step) => step(albumIds.slice(-4), undescribed));
          const outcomes = await Promise.allSettled(changes.map((change) => catalog.write(change)));
          for (const [index, change] of changes.entries()) {
            const outcome = outcomes[index];
            if (outcome?.status === "rejected") expect(outcome.reason).toBeInstanceOf(StoreError);
            if (outcome?.status === "rejected") expect((outcome.reason as StoreError).code).not.toBe("internal");
            if (outcome?.status !== "fulfilled") continue;
            if (change.type === "createAlbum") albumIds.push(change.id);
            if (change.type === "putImages" && !(outcome.value as { replayed: boolean }).replayed)
              for (const { blob } of change.images) blobsPut.add(blob.key);
          }
        }
        await finishDeletions(catalog);
        await expectAgreement(catalog, blobsPut);
      }),
      { numRuns: 100 },
    );
  });
}

async function finishDeletions(catalog: Catalog): Promise<void> {
  for (const albumId of await catalog.albumsBeingDeleted(100))
    for (let done = false; !done; ) ({ done } = await catalog.write({ type: "deleteAlbumChunk", albumId, limit: 2 }));
}

const imagesOf = async (catalog: Catalog): Promise<readonly Image[]> =>
  (await pagesOf((start) => catalog.images({ orderBy: "name", limit: 1000, ...start }))).flatMap(({ items }) => items);

async function expectAgreement(catalog: OpenedCatalog, blobsPut: ReadonlySet<string>): Promise<void> {
  const { items: albums } = await catalog.albums({ orderBy: "name", limit: 1000 });
  const images = await imagesOf(catalog);
  for (const { id, imageCount } of albums)
    expect(imageCount).toBe(images.filter(({ albumId }) => albumId === id).length);

  await expectTotals(catalog, {
    albums: albums.length,
    images: images.length,
    bytes: images.reduce((sum, { size }) => sum + size, 0),
  });

  const { head } = await loggedState(catalog);
  const { events } = await catalog.events({ limit: 1_000_000 });
  expect(events).toHaveLength(head);
  const alive = replay(events);
  expect([...alive.values()].map(own).toSorted(byId)).toEqual([...albums, ...images].map(own).toSorted(byId));

  const rows = await catalog.blobs({ limit: 100_000 });
  expect(rows.map(({ key }) => key)).toEqual([...blobsPut].toSorted());
  const live = rows.filter(({ state }) => state === "live").map(({ sha256, size }) => `${sha256} ${size}`);
  expect(live.toSorted()).toEqual(images.map(({ sha256, size }) => `${sha256} ${size}`).toSorted());
}

/** A catalog may answer for a moment what it summed up before. */
async function expectTotals(catalog: Catalog, expected: Totals): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (Bun.deepEquals(await catalog.totals(), expected)) return;
    await Bun.sleep(10);
  }
  expect(await catalog.totals()).toEqual(expected);
}

/** The records that are alive by the log, which is checked on the way. */
function replay(events: readonly StoredEvent[]): ReadonlyMap<string, Album | Image> {
  const alive = new Map<string, Album | Image>();
  for (const event of events) {
    const { reason, previousName, ...record } = JSON.parse(event.data) as EventData;
    const before = alive.get(record.id);
    const albumIsAlive = alive.has(event.albumId);
    if (event.type.endsWith(".created"))
      expect({ before, revision: record.revision }).toEqual({ before: undefined, revision: 1 });
    else if (event.type.endsWith(".updated"))
      expect(record.revision - (before?.revision ?? 0)).toBe(reason === "described" ? 0 : 1);
    // As it was.
    else expect(own(record)).toEqual(own(before as Album | Image));
    if (event.imageId !== null) expect(albumIsAlive).toBe(true);
    if (previousName !== undefined) expect(previousName).toBe(before?.name as string);
    if (event.type.endsWith(".deleted")) alive.delete(record.id);
    else alive.set(record.id, record);
    if (event.type === "imagestore.album.deleted")
      expect([...alive.values()].filter((item) => "albumId" in item && item.albumId === event.albumId)).toEqual([]);
  }
  return alive;
}

/** Without what follows from other records. */
const own = (record: Album | Image) => ({ ...record, imageCount: 0, album: "", links: {} });
const byId = (one: { readonly id: string }, other: { readonly id: string }) => (one.id < other.id ? -1 : 1);
