import { describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { segmentFileName } from "../../../../src/adapters/blobs/segments/format.ts";
import type { BlobMove } from "../../../../src/domain/blob.ts";
import type { BlobStore } from "../../../../src/ports.ts";
import { patterned, pieces, putBlob } from "../../../blobs.ts";
import { expectCode } from "../../../errors.ts";
import { rejectionOf } from "../../../waiting.ts";
import { KIBIBYTE, listAll, overwrite, placeOf, readAll, useSegmentFolder } from "./segment-folder.ts";

const { folder, openStore, segmentPaths } = useSegmentFolder();
const running = new AbortController().signal;

const move =
  (catalog: Map<string, string>) =>
  async (moves: readonly BlobMove[]): Promise<readonly string[]> => {
    const moved = moves.filter(({ key, from }) => catalog.get(key) === from);
    for (const { key, to } of moved) catalog.set(key, to);
    return moved.map(({ key }) => key);
  };
/** Many small blobs, of which every `nth` is left. */
async function fill(store: BlobStore, count: number, nth: number) {
  const blobs = await Promise.all(Array.from({ length: count }, (_, index) => putBlob(store, patterned(1000 + index))));
  const catalog = new Map<string, string>();
  const sizes = new Map<string, number>();
  for (const [index, { key, location }] of blobs.entries()) {
    if (index % nth !== 0) await store.remove(location);
    else {
      catalog.set(key, location);
      sizes.set(key, 1000 + index);
    }
  }
  return { catalog, sizes };
}
const allocatedBytes = async () => {
  const stats = await Promise.all((await segmentPaths()).map((path) => stat(path)));
  return stats.reduce((sum, { blocks }) => sum + blocks * 512, 0);
};

const lost = async (): Promise<readonly string[]> => {
  throw new Error("no answer");
};

describe("compaction", () => {
  test("bounds the space to twice the live bytes plus two segments, and every blob stays readable at both locations", async () => {
    const segmentBytes = 128 * KIBIBYTE;
    await using store = await openStore({ segmentBytes });
    const { catalog, sizes } = await fill(store, 1000, 5);
    const before = new Map(catalog);
    const living = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    expect(await allocatedBytes()).toBeGreaterThan(2 * living + 2 * segmentBytes);
    await store.compact(move(catalog), running);
    expect(await allocatedBytes()).toBeLessThanOrEqual(2 * living + 2 * segmentBytes);
    for (const [key, size] of sizes) {
      expect(await readAll(store, catalog.get(key) ?? "", size)).toEqual(patterned(size));
      expect(await readAll(store, before.get(key) ?? "", size)).toEqual(patterned(size));
    }
    expect((await listAll(store)).found.toSorted()).toEqual([...catalog.values()].toSorted());
  });

  test("works after a restart too", async () => {
    const segmentBytes = 64 * KIBIBYTE;
    let catalog: Map<string, string>;
    {
      await using store = await openStore({ segmentBytes });
      ({ catalog } = await fill(store, 300, 4));
    }
    await using store = await openStore({ segmentBytes });
    const before = await allocatedBytes();
    await store.compact(move(catalog), running);
    expect(await allocatedBytes()).toBeLessThan(before / 1.5);
    expect((await listAll(store)).found.toSorted()).toEqual([...catalog.values()].toSorted());
  });

  test("moves no record while the store is held, and moves it afterwards", async () => {
    await using store = await openStore({ segmentBytes: 32 * KIBIBYTE });
    const { catalog, sizes } = await fill(store, 200, 4);
    const locations = [...catalog.values()];
    let asked = 0;
    const refuse = async (moves: readonly BlobMove[]) => {
      asked += moves.length;
      return [];
    };
    await store.compact(refuse, running);
    await store.compact(refuse, running);
    expect(asked).toBeGreaterThan(0);
    expect((await listAll(store)).found.toSorted()).toEqual(locations.toSorted());
    const before = await allocatedBytes();
    await store.compact(move(catalog), running);
    expect(await allocatedBytes()).toBeLessThan(before);
    for (const [key, size] of sizes)
      expect(await readAll(store, catalog.get(key) ?? "", size)).toEqual(patterned(size));
  });

  test("a segment without movable records is tried once until it changes", async () => {
    await using store = await openStore({ segmentBytes: 32 * KIBIBYTE });
    const { catalog } = await fill(store, 100, 5);
    const [first] = catalog.keys();
    const location = catalog.get(first as string) as string;
    overwrite(
      join(folder(), "segments", segmentFileName(placeOf(location).segment)),
      placeOf(location).offset + 500,
      Buffer.from("damage"),
    );
    let asked = 0;
    const counting = (moves: readonly BlobMove[]) => {
      asked += moves.length;
      return move(catalog)(moves);
    };
    await store.compact(counting, running);
    const once = asked;
    expect(once).toBeGreaterThan(0);
    await store.compact(counting, running);
    expect(asked).toBe(once);
  });

  test("both copies stay and are listed when it is unknown whether the move was recorded", async () => {
    await using store = await openStore({ segmentBytes: 32 * KIBIBYTE });
    const { catalog } = await fill(store, 100, 4);
    expect((await rejectionOf(store.compact(lost, running))).message).toContain("no answer");
    const { found } = await listAll(store);
    for (const location of catalog.values()) expect(found).toContain(location);
    expect(found.length).toBeGreaterThan(catalog.size);
  });

  test("a damaged blob is neither moved nor removed", async () => {
    await using store = await openStore({ segmentBytes: 32 * KIBIBYTE });
    const { catalog, sizes } = await fill(store, 100, 5);
    const [key] = catalog.keys();
    const location = catalog.get(key as string) as string;
    const path = join(folder(), "segments", segmentFileName(placeOf(location).segment));
    overwrite(path, placeOf(location).offset + 500, Buffer.from("damage"));
    await store.compact(move(catalog), running);
    expect(catalog.get(key as string)).toBe(location);
    await expectCode(store.read(location, { size: sizes.get(key as string) as number }), "blob_damaged");
    expect(fs.existsSync(path)).toBe(true);
  });

  test("a blob that is not yet recorded is not moved", async () => {
    await using store = await openStore({ segmentBytes: 8 * KIBIBYTE });
    const staged = await Promise.all(
      Array.from({ length: 8 }, (_, index) => store.stage(pieces(patterned(1000 + index), 500), { maxBytes: 2000 })),
    );
    const locations = await Promise.all(staged.map((each) => store.commit(each)));
    await Promise.all(locations.slice(1).map((location) => store.remove(location)));
    const moved: BlobMove[] = [];
    await store.compact(async (moves) => {
      moved.push(...moves);
      return [];
    }, running);
    expect(moved).toEqual([]);
    expect(await readAll(store, locations[0] ?? "", 1000)).toEqual(patterned(1000));
  });

  test("compaction stops when it is aborted", async () => {
    await using store = await openStore({ segmentBytes: 32 * KIBIBYTE });
    const { catalog } = await fill(store, 100, 4);
    const before = [...catalog.values()];
    await store.compact(move(catalog), AbortSignal.abort());
    expect([...catalog.values()]).toEqual(before);
  });
});
