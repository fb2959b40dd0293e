import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Album, EMPTY_ALBUM_FIELDS } from "../../src/domain/album.ts";
import type { BatchOperation, BatchOutcome } from "../../src/domain/batch.ts";
import { type Change, IF_EXISTS, type Replayable } from "../../src/domain/change.ts";
import { StoreError } from "../../src/domain/errors.ts";
import { type EventData, STORE, type StoredEvent } from "../../src/domain/event.ts";
import type { Image } from "../../src/domain/image.ts";
import type { Catalog, Totals, UndescribedImage } from "../../src/ports.ts";
import {
  albumNamed,
  batchOf,
  blobOf,
  createKey,
  describing,
  digest,
  imageNamed,
  loggedState,
  type OpenCatalog,
  type OpenedCatalog,
  pagesOf,
} from "../catalog-changes.ts";

type Step = (
  albumIds: readonly string[],
  undescribed: readonly UndescribedImage[],
  /** Those that were there when the round began, and may be gone by now. */
  images: readonly Image[],
) => Change;

const name = fc.constantFrom("a", "b", "c", "d");
/** Contents of different sizes, so that bytes are counted and not files. */
const TEXTS = ["x", "yy", "zzzz"] as const;
const content = fc.constantFrom(...TEXTS);
const album = fc.nat({ max: 3 });
const idOf = (albumIds: readonly string[], index: number) => albumIds[index % albumIds.length] ?? Bun.randomUUIDv7();

/** An operation of a batch, by the names that albums may have. */
const operation: fc.Arbitrary<BatchOperation> = fc.oneof(
  name.map(
    (n): BatchOperation => ({ type: "createAlbum", id: Bun.randomUUIDv7(), name: n, fields: EMPTY_ALBUM_FIELDS }),
  ),
  name.map((n): BatchOperation => ({ type: "putAlbum", id: Bun.randomUUIDv7(), name: n, fields: EMPTY_ALBUM_FIELDS })),
  fc.tuple(name, name).map(([from, to]): BatchOperation => ({ type: "updateAlbum", name: from, patch: { name: to } })),
  fc.tuple(name, fc.boolean()).map(([n, recursive]): BatchOperation => ({ type: "deleteAlbum", name: n, recursive })),
  fc.tuple(name, name, name).map(([of, from, to]): BatchOperation => {
    return { type: "updateImage", album: of, name: from, patch: { name: to, title: to } };
  }),
  fc.tuple(name, name).map(([of, n]): BatchOperation => ({ type: "deleteImage", album: of, name: n })),
  fc.tuple(name, name, name, fc.constantFrom(...IF_EXISTS)).map(([from, to, n, ifExists]): BatchOperation => {
    return { type: "moveImage", album: from, name: n, target: { album: to }, ifExists, publicOriginals: "whole" };
  }),
);
const batch: fc.Arbitrary<Step> = fc
  .tuple(fc.boolean(), fc.array(operation, { minLength: 1, maxLength: 12 }), fc.option(fc.constantFrom("b1", "b2")))
  .map(([atomic, operations, key]) => () => {
    // Ids of their own each time: a batch that runs again creates other albums.
    const fresh = operations.map((one) => ("id" in one ? { ...one, id: Bun.randomUUIDv7() } : one));
    const idempotency = key === null ? {} : { idempotency: { scope: "batch", key, fingerprint: "any" } };
    return batchOf(fresh, { atomic, ...idempotency });
  });

const steps: fc.Arbitrary<Step>[] = [
  batch,
  name.map((n) => () => albumNamed(n)),
  fc.tuple(album, name).map(([of, n]) => (ids) => ({
    type: "updateAlbum",
    albumId: idOf(ids, of),
    patch: { name: n, visibility: n === "a" ? "public" : undefined },
  })),
  fc
    .tuple(
      album,
      fc.constantFrom("create", "put"),
      fc.uniqueArray(name, { minLength: 1, maxLength: 3 }),
      content,
      fc.constantFrom("key1", "key2"),
    )
    .chain(([of, mode, names, text, chargedTo]) =>
      fc.option(fc.constantFrom("k1", "k2")).map(
        (key): Step =>
          (ids) => ({
            type: "putImages",
            albumId: idOf(ids, of),
            mode,
            images: names.map((n) => imageNamed(n, { blob: blobOf(text) })),
            by: { actor: STORE, albums: "all", shared: "all", chargedTo },
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
  fc
    .tuple(album, album, name, fc.option(name), fc.constantFrom(...IF_EXISTS), fc.option(fc.constantFrom("k1", "k2")))
    .map(
      ([of, to, n, renamed, ifExists, key]): Step =>
        (ids) => ({
          type: "moveImage",
          albumId: idOf(ids, of),
          name: n,
          target: { albumId: idOf(ids, to), ...(renamed === null ? {} : { name: renamed }) },
          ifExists,
          ...(key === null ? {} : { idempotency: { scope: `move ${idOf(ids, of)}`, key, fingerprint: n } }),
        }),
    ),
  // As a copy, or as an upload by digest, which names no original.
  fc.tuple(album, name, fc.nat(), fc.constantFrom("create", "put"), fc.boolean()).map(
    ([of, n, at, mode, isNamed]): Step =>
      (ids, _, images) => {
        const original = images[at % images.length];
        const text = original === undefined ? "x" : (TEXTS.find((one) => digest(one) === original.sha256) ?? "x");
        const copyOf = { imageId: original?.id ?? idOf(ids, of), readable: "all", isNamed } as const;
        return {
          type: "putImages",
          albumId: idOf(ids, of),
          mode,
          images: [imageNamed(n, { blob: blobOf(text), copyOf })],
          by: { actor: STORE, albums: "all", shared: "all", chargedTo: "key1" },
        };
      },
  ),
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
  fc.tuple(fc.constantFrom("album", "keys/key1", "store"), album, fc.option(fc.nat({ max: 20 }))).map(
    ([scope, of, maxBytes]): Step =>
      (ids) => ({
        type: "setQuota",
        scope: scope === "album" ? `albums/${idOf(ids, of)}` : scope,
        limits: maxBytes === null ? null : { maxBytes, maxImages: 10 },
      }),
  ),
];

export function modelContract(open: OpenCatalog): void {
  test("counts, log, records and blobs agree under any concurrent changes", async () => {
    await using catalog = await open();
    await createKey(catalog, "key1");
    const blobsPut = new Set<string>();
    /** Also those that are gone: what is begun on them must fail. */
    const albumIds: string[] = [];
    const together = fc.array(fc.oneof(...steps), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.array(together, { minLength: 1, maxLength: 6 }), async (rounds) => {
        for (const round of rounds) {
          const undescribed = await catalog.undescribedImages({ limit: 100, order: "newest" });
          const images = await imagesOf(catalog);
          const changes = round.map((step) => step(albumIds.slice(-4), undescribed, images));
          const outcomes = await Promise.allSettled(changes.map((change) => catalog.write(change)));
          for (const [index, change] of changes.entries()) {
            const outcome = outcomes[index];
            if (outcome?.status === "rejected") expect(outcome.reason).toBeInstanceOf(StoreError);
            if (outcome?.status === "rejected") expect((outcome.reason as StoreError).code).not.toBe("internal");
            if (outcome?.status !== "fulfilled") continue;
            if (change.type === "createAlbum") albumIds.push(change.id);
            if (change.type === "runBatch")
              albumIds.push(...createdBy(outcome.value as Replayable<readonly BatchOutcome[]>));
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

const createdBy = ({ value }: Replayable<readonly BatchOutcome[]>): readonly string[] =>
  value.flatMap((outcome) => ("created" in outcome && outcome.created ? (outcome.record?.id ?? []) : []));

async function finishDeletions(catalog: Catalog): Promise<void> {
  for (const albumId of await catalog.albumsBeingDeleted(100))
    for (let done = false; !done; ) ({ done } = await catalog.write({ type: "deleteAlbumChunk", albumId, limit: 2 }));
}

const imagesOf = async (catalog: Catalog): Promise<readonly Image[]> =>
  (await pagesOf((start) => catalog.images({ visibility: "all", orderBy: "name", limit: 1000, ...start }))).flatMap(
    ({ items }) => items,
  );

async function expectAgreement(catalog: OpenedCatalog, blobsPut: ReadonlySet<string>): Promise<void> {
  const { items: albums } = await catalog.albums({ visibility: "all", orderBy: "name", limit: 1000 });
  const images = await imagesOf(catalog);
  for (const { id, imageCount, byteCount } of albums) {
    const own = images.filter(({ albumId }) => albumId === id);
    expect({ imageCount, byteCount }).toEqual({ imageCount: own.length, byteCount: bytesOf(own) });
  }

  await expectTotals(catalog, {
    albums: albums.length,
    images: images.length,
    bytes: bytesOf(images),
  });

  const { lastSequence } = await loggedState(catalog);
  const { events } = await catalog.events({ visibility: "all", audit: true, limit: 1_000_000 });
  expect(events).toHaveLength(lastSequence);
  const alive = replay(events.filter(({ subject }) => subject === null));
  expect([...alive.values()].map(own).toSorted(byId)).toEqual([...albums, ...images].map(own).toSorted(byId));

  expect(await catalog.miscounts()).toEqual([]);

  const rows = await catalog.blobs({ limit: 100_000 });
  expect(rows.map(({ key }) => key)).toEqual([...blobsPut].toSorted());
  const live = rows.filter(({ state }) => state === "live").map(({ sha256, size }) => `${sha256} ${size}`);
  expect(live.toSorted()).toEqual(images.map(({ sha256, size }) => `${sha256} ${size}`).toSorted());
}

const bytesOf = (images: readonly Image[]): number => images.reduce((sum, { size }) => sum + size, 0);

/** A catalog may answer for a moment what it summed up before. */
async function expectTotals(catalog: Catalog, expected: Totals): Promise<void> {
  let totals = await catalog.totals();
  for (let attempt = 0; attempt < 1000 && !Bun.deepEquals(totals, expected); attempt++) {
    await Bun.sleep(10);
    totals = await catalog.totals();
  }
  expect(totals).toEqual(expected);
}

/** The records that are alive by the log, which is checked on the way. */
function replay(events: readonly StoredEvent[]): ReadonlyMap<string, Album | Image> {
  const alive = new Map<string, Album | Image>();
  /** Those that have left an album and not entered the other yet. */
  const moving = new Map<string, Album | Image>();
  for (const event of events) {
    const {
      reason,
      previousName,
      previousAlbum,
      newAlbum,
      copiedFrom: __,
      actor: _,
      ...data
    } = JSON.parse(event.data) as EventData;
    const record = data as Album | Image;
    const left = event.type.endsWith(".created") ? moving.get(record.id) : undefined;
    const before = alive.get(record.id) ?? left;
    const albumIsAlive = alive.has(event.albumId);
    expect(reason === "moved").toBe(previousAlbum !== undefined || newAlbum !== undefined);
    expect(previousAlbum?.id).toBe((left as Image | undefined)?.albumId as string);
    if (newAlbum !== undefined) moving.set(record.id, before as Album | Image);
    else moving.delete(record.id);
    if (left !== undefined) expect(own(record)).toEqual(ownElsewhere(left, record));
    else if (event.type.endsWith(".created"))
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
  expect(moving).toEqual(new Map());
  return alive;
}

/** An image that has moved is the same, but for these. */
const ownElsewhere = (before: Album | Image, after: Album | Image) => {
  expect(after.revision).toBe(before.revision + 1);
  expect(after.updatedAt >= before.updatedAt).toBe(true);
  const { revision, name: newName, updatedAt } = after;
  const place = "albumId" in after ? { albumId: after.albumId } : {};
  return own({ ...before, revision, name: newName, updatedAt, ...place });
};
/** Without what follows from other records. */
const own = (record: Album | Image) => ({ ...record, imageCount: 0, byteCount: 0, album: "", links: {} });
const byId = (one: { readonly id: string }, other: { readonly id: string }) => (one.id < other.id ? -1 : 1);
