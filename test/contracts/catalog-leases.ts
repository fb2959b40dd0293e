import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Album } from "../../src/domain/album.ts";
import type { Change, Fence } from "../../src/domain/change.ts";
import type { Catalog } from "../../src/ports.ts";
import {
  albumNamed,
  blobOf,
  createAlbum,
  createImage,
  describing,
  eventsAfter,
  imageNamed,
  type OpenCatalog,
  put,
} from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";

const LONG = 60_000;
/** It has lapsed when the answer comes. */
const NONE = 0;

const fenceOf = (token: number | null, lease = "work"): Fence => ({ lease, token: token ?? -1 });

export function leaseContract(open: OpenCatalog): void {
  let catalog: Catalog;
  beforeEach(async () => {
    catalog = await open();
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  const acquire = async (holder: string, milliseconds: number, name = "work") =>
    (await catalog.write({ type: "acquireLease", name, holder, milliseconds })).token;
  const release = (holder: string, name = "work") => catalog.write({ type: "releaseLease", name, holder });

  describe("a lease", () => {
    test("belongs to one holder and token until it lapses; the next token is higher", async () => {
      const first = (await acquire("a", LONG)) as number;
      expect(first).toBeGreaterThan(0);
      expect(await acquire("a", LONG)).toBe(first);
      expect(await acquire("b", LONG)).toBeNull();
      expect(await acquire("b", LONG, "other work")).toBeGreaterThan(0);

      const brief = (await acquire("c", NONE, "brief work")) as number;
      // Nobody came between.
      expect(await acquire("c", NONE, "brief work")).toBe(brief);
      expect(await acquire("d", LONG, "brief work")).toBeGreaterThan(brief);
      expect(await acquire("c", LONG, "brief work")).toBeNull();
    });

    test("is free at once when its holder releases it, and only its holder can", async () => {
      const first = (await acquire("a", LONG)) as number;
      expect(await release("b")).toBeNull();
      expect(await acquire("b", LONG)).toBeNull();
      expect(await release("a")).toBeNull();
      expect(await release("a")).toBeNull();
      const second = (await acquire("b", LONG)) as number;
      expect(second).toBeGreaterThan(first);
      await release("b");
      expect(await acquire("b", LONG)).toBeGreaterThan(second);
      expect(await release("a", "unheard of")).toBeNull();
    });

    test("is not shortened by a late renewal", async () => {
      await acquire("a", LONG);
      await acquire("a", NONE);
      await Bun.sleep(2);
      expect(await acquire("b", LONG)).toBeNull();
    });

    test("goes to exactly one of many concurrent holders", async () => {
      let before = 0;
      for (let round = 0; round < 10; round++) {
        const holders = Array.from({ length: 16 }, (_, index) => `${round}-${index}`);
        const tokens = await Promise.all(holders.map((holder) => acquire(holder, LONG)));
        const given = tokens.filter((token) => token !== null);
        expect(given).toHaveLength(1);
        expect(given[0]).toBeGreaterThan(before);
        before = given[0] ?? 0;
        const winner = holders[tokens.findIndex((token) => token !== null)] ?? "";
        await release(winner);
      }
    });
  });

  describe("a write under a lease", () => {
    test("succeeds until another holder has the lease, even after it lapsed", async () => {
      const fence = fenceOf(await acquire("a", NONE));
      for (const change of await workOfAllKinds(catalog)) {
        const before = await everythingIn(catalog);
        await catalog.write({ ...change, fence });
        expect({ change, after: await everythingIn(catalog) }).not.toEqual({ change, after: before });
      }
    });

    test("of a former holder is refused and changes nothing", async () => {
      const work = await workOfAllKinds(catalog);
      const former = fenceOf(await acquire("a", NONE));
      const holder = fenceOf(await acquire("b", LONG));
      const before = await everythingIn(catalog);
      for (const change of work) await expectCode(catalog.write({ ...change, fence: former }), "lease_lost");
      // An engine may show events a moment after the change.
      await Bun.sleep(20);
      expect(await everythingIn(catalog)).toEqual(before);
      for (const change of work) await catalog.write({ ...change, fence: holder });
    });

    test("is refused under an unknown lease and under a future token", async () => {
      const change = albumNamed("a");
      await expectCode(catalog.write({ ...change, fence: fenceOf(1) }), "lease_lost");
      const token = (await acquire("a", LONG)) as number;
      await expectCode(catalog.write({ ...change, fence: fenceOf(token + 1) }), "lease_lost");
      await expectCode(catalog.write({ ...change, fence: fenceOf(token, "other work") }), "lease_lost");
      await release("a");
      await expectCode(catalog.write({ ...change, fence: fenceOf(token) }), "lease_lost");
      expect(await catalog.album("a", "all")).toBeUndefined();
    });

    test("that is refused does not affect the rest of its batch", async () => {
      const former = fenceOf(await acquire("a", NONE));
      await acquire("b", LONG);
      const writes = Array.from({ length: 20 }, (_, index) =>
        catalog.write({ ...albumNamed(`album ${index}`), ...(index % 2 === 0 && { fence: former }) }),
      );
      const outcomes = await Promise.allSettled(writes);
      expect(outcomes.map(({ status }) => status)).toEqual(
        Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? "rejected" : "fulfilled")),
      );
      expect((await catalog.albums({ visibility: "all", orderBy: "name", limit: 100 })).items).toHaveLength(10);
    });

    test("is complete before another holder has the lease, or is refused", async () => {
      let done = 0;
      for (let round = 0; round < 6; round++) {
        const album = await albumBeingDeleted(catalog, `${round}`, 120);
        const [former, next] = [`${round}-former`, `${round}-next`];
        const fence = fenceOf(await acquire(former, NONE));
        const chunk = catalog.write({ type: "deleteAlbumChunk", albumId: album.id, limit: 1000, fence });
        const outcome = chunk.then(
          () => "done",
          (error: { code?: string }) => error.code,
        );
        // So that it comes at various moments of the other.
        await Bun.sleep(round % 4);
        expect(await acquire(next, LONG)).toBeGreaterThan(fence.token);
        const seen = (await catalog.albumsBeingDeleted(10)).length;
        const how = await outcome;
        expect({ how, seen }).toEqual(how === "done" ? { how, seen: 0 } : { how: "lease_lost", seen: 1 });
        expect((await catalog.albumsBeingDeleted(10)).length).toBe(seen);
        if (how === "done") done++;
        else await catalog.write({ type: "deleteAlbumChunk", albumId: album.id, limit: 1000 });
        await release(next);
      }
      expect(done).toBeGreaterThan(0);
    });
  });

  test("any sequence of acquire, release and write matches the model", async () => {
    const holder = fc.constantFrom("a", "b", "c");
    const step = fc.oneof(
      fc.record({ kind: fc.constant("acquire" as const), holder, life: fc.constantFrom(NONE, LONG) }),
      fc.record({ kind: fc.constant("release" as const), holder }),
      fc.record({ kind: fc.constant("write" as const), holder }),
    );
    let lease = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const name = `work ${lease++}`;
        let [owner, token, lasts] = ["", 0, false];
        const tokens = new Map<string, number>();
        for (const { kind, holder: who, ...more } of steps) {
          if (kind === "release") {
            await release(who, name);
            if (owner === who) [owner, lasts] = ["", false];
          } else if (kind === "acquire") {
            const long = "life" in more && more.life === LONG;
            const given = await acquire(who, long ? LONG : NONE, name);
            if (owner !== who && lasts) expect(given).toBeNull();
            else {
              if (owner === who) lasts ||= long;
              else [owner, token, lasts] = [who, token + 1, long];
              expect(given).toBe(token);
              tokens.set(who, token);
            }
          } else {
            const fence = fenceOf(tokens.get(who) ?? null, name);
            const writing = catalog.write({ type: "releaseHold", id: "nobody's", fence });
            if (owner !== "" && tokens.get(who) === token) await writing;
            else await expectCode(writing, "lease_lost");
          }
        }
      }),
      { numRuns: 40 },
    );
  });
}

async function albumBeingDeleted(catalog: Catalog, name: string, images: number): Promise<Album> {
  const album = await createAlbum(catalog, name);
  await put(
    catalog,
    album,
    Array.from({ length: images }, (_, index) => imageNamed(`i${index}`)),
  );
  await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true, atOnce: 1 });
  return album;
}

/** All that a change could change. */
const everythingIn = async (catalog: Catalog) => ({
  albums: await catalog.albums({ visibility: "all", orderBy: "name", limit: 100 }),
  images: await catalog.images({ visibility: "all", orderBy: "name", limit: 100 }),
  log: await catalog.log(),
  cursors: (await catalog.cursors()).map(({ name, seq }) => ({ name, seq })),
  blobs: await catalog.blobs({ limit: 100 }),
  beingDeleted: await catalog.albumsBeingDeleted(100),
});

/** Each would change something. */
async function workOfAllKinds(catalog: Catalog): Promise<readonly Change[]> {
  const from = (await catalog.log()).lastSequence;
  const album = await createAlbum(catalog, "kept");
  const image = await createImage(catalog, album, "undescribed");
  const { blobKey = "" } = (await catalog.undescribedImages({ limit: 1, order: "newest" }))[0] ?? {};
  await put(catalog, album, [imageNamed("condemned")]);
  await catalog.write({ type: "deleteImage", albumId: album.id, name: "condemned" });
  const leaving = await createAlbum(catalog, "leaving");
  await put(catalog, leaving, [imageNamed("i"), imageNamed("j")]);
  await catalog.write({ type: "deleteAlbum", albumId: leaving.id, recursive: true, atOnce: 1 });
  await catalog.write({ type: "registerCursor", name: "relay" });
  await catalog.write({ type: "advanceCursor", name: "relay", seq: 1 });
  const stray = blobOf("stray");
  await catalog.write({ type: "claimUnrecorded", blobs: [stray] });
  await eventsAfter(catalog, from, 7);
  return [
    albumNamed("new"),
    { type: "deleteAlbumChunk", albumId: leaving.id, limit: 10 },
    describing(image.id, blobKey),
    { type: "advanceCursor", name: "relay", seq: 3 },
    { type: "pruneEvents", retention: -60_000, maxBytes: null, limit: 10 },
    { type: "registerCursor", name: "another relay" },
    { type: "deleteCursor", name: "relay" },
    { type: "claimUnrecorded", blobs: [blobOf("another stray")] },
    { type: "beginBlobDeletion", grace: -60_000, limit: 10 },
    { type: "finishBlobDeletion", keys: [stray.key] },
  ];
}
