import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Album } from "../../src/domain/album.ts";
import type { NewBlob } from "../../src/domain/blob.ts";
import type { Catalog } from "../../src/ports.ts";
import { blobOf, blobStates, createAlbum, imageNamed, type OpenCatalog, put } from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";

/** As if a minute more had passed. */
const AFTER_GRACE = -60_000;

const move = (from: { key: string; location: string }, to: string, at = from.location) =>
  ({ key: from.key, from: at, to }) as const;

const refOf = ({ key, location }: NewBlob) => ({ key, location });

export function blobContract(open: OpenCatalog): void {
  let catalog: Catalog;
  let album: Album;
  beforeEach(async () => {
    catalog = await open();
    album = await createAlbum(catalog, "a");
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  const begin = (grace: number, limit = 100) => catalog.write({ type: "beginBlobDeletion", grace, limit });
  const condemnedBlob = async (name: string) => {
    const image = imageNamed(name);
    await put(catalog, album, [image]);
    await catalog.write({ type: "deleteImage", albumId: album.id, name });
    return image.blob;
  };

  const reserve = async (name: string): Promise<NewBlob> => {
    const blob = blobOf(name);
    await catalog.write({ type: "reserveBlobs", blobs: [blob] });
    return { ...blob, reserved: true };
  };
  const record = (...blobs: readonly NewBlob[]) =>
    put(
      catalog,
      album,
      blobs.map((blob) => imageNamed(blob.key, { blob })),
    );
  const keepTombstone = (tombstone: number, { key }: NewBlob) =>
    catalog.write({ type: "finishBlobDeletion", keys: [key], tombstone });
  const again = (milliseconds: number) =>
    catalog.write({ type: "beginBlobDeletion", grace: 60_000, again: milliseconds, limit: 100 });

  describe("blob rows", () => {
    test("become condemned, after the grace period deleting, then are removed; each step can be repeated", async () => {
      const { key, location } = await condemnedBlob("i");
      const kept = imageNamed("kept");
      await put(catalog, album, [kept]);
      expect(await begin(60_000)).toEqual([]);
      expect(await begin(AFTER_GRACE)).toEqual([{ key, location }]);
      expect(await blobStates(catalog)).toEqual({ [key]: "deleting", [kept.blob.key]: "live" });
      // As after a crash: what was begun is answered again, whenever it was condemned.
      expect(await begin(60_000)).toEqual([{ key, location }]);
      const finish = { type: "finishBlobDeletion", keys: [key, kept.blob.key] } as const;
      expect(await catalog.write(finish)).toBeNull();
      expect(await catalog.write(finish)).toBeNull();
      expect(await begin(AFTER_GRACE)).toEqual([]);
      expect(await blobStates(catalog)).toEqual({ [kept.blob.key]: "live" });
    });

    test("that cannot be removed do not block the others", async () => {
      const stuck = await condemnedBlob("stuck");
      expect(await begin(AFTER_GRACE, 1)).toEqual([{ key: stuck.key, location: stuck.location }]);
      await Bun.sleep(2);
      const later = await condemnedBlob("later");
      expect((await begin(AFTER_GRACE, 1)).map(({ key }) => key)).toEqual([later.key]);
      const turns = [];
      for (let turn = 0; turn < 4; turn++) {
        await Bun.sleep(2);
        turns.push((await begin(AFTER_GRACE, 1))[0]?.key);
      }
      expect(turns).toEqual([stuck.key, later.key, stuck.key, later.key]);
      expect((await begin(AFTER_GRACE, 2)).map(({ key }) => key).toSorted()).toEqual([stuck.key, later.key].toSorted());
    });

    test("are claimed for found blobs that have none", async () => {
      const recorded = imageNamed("i");
      await put(catalog, album, [recorded]);
      const stray = blobOf("stray");
      const claim = { type: "claimUnrecorded", blobs: [recorded.blob, stray] } as const;
      expect(await catalog.write(claim)).toEqual({ claimed: 1 });
      expect(await catalog.write(claim)).toEqual({ claimed: 0 });
      expect(await begin(60_000)).toEqual([{ key: stray.key, location: stray.location }]);
    });

    test("get the new location of a moved blob unless it is deleting, has moved, or the store is held", async () => {
      const live = imageNamed("live");
      await put(catalog, album, [live]);
      const condemned = await condemnedBlob("condemned");
      const deleting = await condemnedBlob("deleting");
      await catalog.write({ type: "finishBlobDeletion", keys: [] });
      const locations = async () =>
        Object.fromEntries((await catalog.blobs({ limit: 10 })).map((row) => [row.key, row.location]));

      await catalog.write({ type: "hold", id: "backup", seconds: 60 });
      expect(await catalog.write({ type: "moveBlobs", moves: [move(live.blob, "held")] })).toEqual({ moved: [] });
      await catalog.write({ type: "releaseHold", id: "backup" });

      expect(await catalog.write({ type: "moveBlobs", moves: [move(condemned, "there")] })).toEqual({
        moved: [condemned.key],
      });
      const begun = await begin(AFTER_GRACE);
      expect(begun).toContainEqual({ key: condemned.key, location: "there" });
      const moves = [
        move(live.blob, "here"),
        move(deleting, "nowhere"),
        move(live.blob, "elsewhere", "where it never was"),
        move({ key: blobOf("x").key, location: "unknown" }, "nowhere"),
      ];
      expect(await catalog.write({ type: "moveBlobs", moves })).toEqual({ moved: [live.blob.key] });
      expect(await locations()).toEqual({
        [live.blob.key]: "here",
        [condemned.key]: "there",
        [deleting.key]: deleting.location,
      });
      expect((await catalog.image("a", "live", "all"))?.location).toBe("here");
    });

    test("are not removed while the store is held", async () => {
      await condemnedBlob("i");
      const claim = { type: "claimUnrecorded", blobs: [blobOf("stray")] } as const;
      await catalog.write({ type: "hold", id: "check", seconds: 60 });
      await catalog.write({ type: "hold", id: "backup", seconds: 60 });
      await catalog.write({ type: "hold", id: "check", seconds: 60 });
      await catalog.write({ type: "releaseHold", id: "backup" });
      expect(await begin(AFTER_GRACE)).toEqual([]);
      expect(await catalog.write(claim)).toEqual({ claimed: 0 });
      expect(Object.values(await blobStates(catalog))).toEqual(["condemned"]);
      await catalog.write({ type: "releaseHold", id: "check" });
      expect(await catalog.write(claim)).toEqual({ claimed: 1 });
      expect(await begin(AFTER_GRACE)).toHaveLength(2);
    });

    test("are protected by a hold until it lapses, and renewing prolongs it", async () => {
      await condemnedBlob("i");
      await catalog.write({ type: "hold", id: "dead", seconds: 0 });
      await catalog.write({ type: "hold", id: "renewed", seconds: 0 });
      await catalog.write({ type: "hold", id: "renewed", seconds: 60 });
      expect(await begin(AFTER_GRACE)).toEqual([]);
      await catalog.write({ type: "hold", id: "renewed", seconds: 0 });
      await Bun.sleep(2);
      expect(await begin(AFTER_GRACE)).toHaveLength(1);
    });

    test("are looked up by any number of keys", async () => {
      const images = Array.from({ length: 250 }, (_, index) => imageNamed(`i${index}`));
      await put(catalog, album, images);
      await catalog.write({ type: "deleteImage", albumId: album.id, name: "i0" });
      const keys = images.map(({ blob }) => blob.key);
      const strangers = Array.from({ length: 30 }, () => blobOf("x").key);
      expect(await catalog.recordedBlobs([])).toEqual(new Map());
      expect(await catalog.recordedBlobs([...strangers, ...keys])).toEqual(
        new Map(images.map(({ blob }) => [blob.key, blob.location])),
      );
      expect(await catalog.recordedBlobs(strangers)).toEqual(new Map());
    });

    test("are listed in key order", async () => {
      const images = Array.from({ length: 25 }, (_, index) => imageNamed(`i${index}`));
      await put(catalog, album, images);
      const walked = [];
      for (let afterKey: string | undefined; ; afterKey = walked.at(-1)?.key) {
        const rows = await catalog.blobs({ ...(afterKey !== undefined && { afterKey }), limit: 10 });
        if (rows.length === 0) break;
        walked.push(...rows);
      }
      const expected = images.map(({ blob }) => ({ ...blob, crc32: blob.crc32 ?? null, state: "live" as const }));
      expect(walked).toEqual(expected.toSorted((one, two) => (one.key < two.key ? -1 : 1)));
    });
  });

  describe("pending blobs of a shared store", () => {
    test("have a row that their record takes over", async () => {
      const [one, other] = [await reserve("one"), await reserve("other")];
      expect(await blobStates(catalog)).toEqual({ [one.key]: "pending", [other.key]: "pending" });
      expect(await catalog.liveBlobs([one.key, other.key])).toEqual(new Set());
      expect(await catalog.recordedBlobs([one.key])).toEqual(new Map([[one.key, one.location]]));
      expect(await begin(60_000)).toEqual([]);
      await record(one, other);
      expect(await blobStates(catalog)).toEqual({ [one.key]: "live", [other.key]: "live" });
      expect(await catalog.liveBlobs([one.key, other.key])).toEqual(new Set([one.key, other.key]));
      expect(await begin(AFTER_GRACE)).toEqual([]);
      expect((await catalog.image("a", one.key, "all"))?.location).toBe(one.location);
    });

    test("are claimed after the grace period, and no record can own them afterwards", async () => {
      const late = await reserve("late");
      expect(await begin(AFTER_GRACE)).toEqual([refOf(late)]);
      const inTime = await reserve("in time");
      for (const isFinished of [false, true]) {
        if (isFinished) await keepTombstone(AFTER_GRACE, late);
        await expectCode(record(inTime, late), "upload_expired");
        expect((await catalog.images({ visibility: "all", orderBy: "name", limit: 9 })).items).toEqual([]);
      }
      expect(await blobStates(catalog)).toEqual({ [inTime.key]: "pending" });
      await record(inTime);
    });

    test("that a record has or had are not unrecorded", async () => {
      const blob = await reserve("i");
      await record(blob);
      const another = () => put(catalog, album, [imageNamed("another", { blob })]);
      await expectCode(another(), "unavailable");
      await catalog.write({ type: "deleteImage", albumId: album.id, name: blob.key });
      await expectCode(another(), "unavailable");
      await begin(AFTER_GRACE);
      await expectCode(another(), "unavailable");
    });

    test("are deleted again several times, since their bytes may arrive late", async () => {
      const blob = await reserve("late");
      await begin(AFTER_GRACE);
      await keepTombstone(60_000, blob);
      expect(await blobStates(catalog)).toEqual({ [blob.key]: "deleting" });
      // Not at once: by default after a day.
      expect(await begin(AFTER_GRACE)).toEqual([]);
      expect(await again(60_000)).toEqual([]);
      for (let sweep = 0; sweep < 2; sweep++) {
        expect(await again(AFTER_GRACE)).toEqual([refOf(blob)]);
        // As after a removal that failed: what is due stays due.
        expect(await again(AFTER_GRACE)).toEqual([refOf(blob)]);
        await keepTombstone(60_000, blob);
      }
      expect(await again(AFTER_GRACE)).toEqual([refOf(blob)]);
      await keepTombstone(AFTER_GRACE, blob);
      expect(await blobStates(catalog)).toEqual({});
    });

    test("of a deleted image are deleted once, since their bytes have arrived", async () => {
      const blob = await reserve("i");
      await record(blob);
      await catalog.write({ type: "deleteImage", albumId: album.id, name: blob.key });
      expect(await begin(AFTER_GRACE)).toEqual([refOf(blob)]);
      await keepTombstone(60_000, blob);
      expect(await blobStates(catalog)).toEqual({});
    });

    test("are kept while the store is held, and can still be recorded", async () => {
      const blob = await reserve("i");
      await catalog.write({ type: "hold", id: "check", seconds: 60 });
      expect(await begin(AFTER_GRACE)).toEqual([]);
      await record(blob);
      await catalog.write({ type: "releaseHold", id: "check" });
      expect(await begin(AFTER_GRACE)).toEqual([]);
    });

    test("are recorded or swept, never both, under concurrency", async () => {
      for (let round = 0; round < 30; round++) {
        const blob = await reserve(`i${round}`);
        const [recorded, swept] = await Promise.all([
          record(blob).then(
            () => true,
            () => false,
          ),
          begin(AFTER_GRACE),
        ]);
        expect(recorded).toBe(!swept.some(({ key }) => key === blob.key));
        expect((await blobStates(catalog))[blob.key]).toBe(recorded ? "live" : "deleting");
        expect((await catalog.image("a", blob.key, "all")) !== undefined).toBe(recorded);
        await keepTombstone(AFTER_GRACE, blob);
      }
    });
  });

  describe("catalog reads and writes", () => {
    test("an acknowledged write is visible to every later read, even during listings", async () => {
      const written = new AbortController();
      const lister = async () => {
        while (!written.signal.aborted) {
          await catalog.images({ visibility: "all", orderBy: "-updatedAt", limit: 100 });
          await catalog.events({ visibility: "all", limit: 100 });
          await Bun.sleep(0);
        }
      };
      const listers = [lister(), lister()];
      await Promise.all(
        Array.from({ length: 8 }, async (_, writer) => {
          for (let turn = 0; turn < 25; turn++) {
            const name = `w${writer}-${turn}`;
            const [created] = await put(catalog, album, [imageNamed(name)]);
            expect((await catalog.image("a", name, "all"))?.image).toEqual(created?.image as never);
            const patch = { title: name };
            await catalog.write({ type: "updateImage", albumId: album.id, name, patch });
            expect((await catalog.imageById(created?.image.id as string, "all"))?.image.title).toBe(name);
            const [newest] = (
              await catalog.images({ visibility: "all", albumId: album.id, q: name, orderBy: "name", limit: 1 })
            ).items;
            expect(newest?.title).toBe(name);
          }
        }),
      );
      written.abort();
      await Promise.all(listers);
      expect((await catalog.album("a", "all"))?.imageCount).toBe(200);
    });

    test("the store id is created once", () => {
      expect(catalog.storeId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    });
  });
}
