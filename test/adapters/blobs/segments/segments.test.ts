import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type DiskBlobsOptions, openDiskBlobs } from "../../../../src/adapters/blobs/disk.ts";
import {
  ALIGNMENT,
  BLOCK_BYTES,
  encodeRecordHeader,
  parseLocation,
  type RecordHeader,
  segmentFileName,
} from "../../../../src/adapters/blobs/segments/format.ts";
import { openHolePuncher } from "../../../../src/adapters/blobs/segments/punch-hole.ts";
import { scanSegment } from "../../../../src/adapters/blobs/segments/scan.ts";
import { createSegmentWriter } from "../../../../src/adapters/blobs/segments/writer.ts";
import type { BlobMove } from "../../../../src/domain/blob.ts";
import type { BlobStore, UnreadableBytes } from "../../../../src/ports.ts";
import { contentBytes, patterned, pieces, putBlob, sha256 } from "../../../blobs.ts";
import { blobStoreContract } from "../../../contracts/blob-store.ts";
import { expectCode } from "../../../errors.ts";
import { newFolder, removeFolder } from "../../../temporary-folder.ts";
import { rejectionOf, until } from "../../../waiting.ts";

const KIBIBYTE = 1024;
const running = new AbortController().signal;

let folder: string;
beforeEach(async () => {
  folder = await newFolder("segments");
});
afterEach(() => removeFolder(folder));

const openStore = (options: Partial<DiskBlobsOptions> = {}) =>
  openDiskBlobs({ folder, minFree: 0, recover: true, compactionRate: Number.POSITIVE_INFINITY, ...options });

blobStoreContract("disk, small ones in segments", () => openStore());
blobStoreContract("disk, segments of a few records and a cache", () =>
  openStore({ segmentBytes: 64 * KIBIBYTE, cacheBytes: 1024 * KIBIBYTE }),
);

const segmentPaths = async () =>
  (await readdir(join(folder, "segments"))).toSorted().map((name) => join(folder, "segments", name));
const onlySegment = async () => {
  const paths = await segmentPaths();
  expect(paths).toHaveLength(1);
  return paths[0] as string;
};
const placeOf = (location: string) => {
  const place = parseLocation(location);
  if (place === undefined) throw new Error(`${location} is in no segment.`);
  return place;
};
const readAll = async (store: BlobStore, location: string, size: number) =>
  contentBytes(await store.read(location, { size }));
const overwrite = (path: string, position: number, bytes: Uint8Array) => {
  const fd = fs.openSync(path, "r+");
  fs.writeSync(fd, bytes, 0, bytes.length, position);
  fs.closeSync(fd);
};
const listAll = async (store: BlobStore) => {
  const unreadable: UnreadableBytes[] = [];
  const found = await Array.fromAsync(store.list((bytes) => unreadable.push(bytes)));
  return { found: found.map(({ location }) => location), unreadable };
};

const pathOf = (location: string) => join(folder, "segments", segmentFileName(placeOf(location).segment));
const contains = async (pattern: Uint8Array) =>
  (await Promise.all((await segmentPaths()).map((path) => fs.promises.readFile(path)))).some((bytes) =>
    bytes.includes(pattern),
  );

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
describe("segments", () => {
  test("small blobs share a segment; large blobs get a file each", async () => {
    await using store = await openStore();
    const small = await putBlob(store, patterned(1024 * KIBIBYTE));
    const large = await putBlob(store, patterned(1024 * KIBIBYTE + 1));
    expect(small.location).toStartWith("segment:");
    expect(large.location).toStartWith("file:");
    await putBlob(store, patterned(10));
    expect(await segmentPaths()).toHaveLength(1);
  });

  test("each batch starts in a new block, so acknowledged bytes are never rewritten", async () => {
    await using store = await openStore();
    for (let count = 0; count < 3; count++) {
      const { location } = await putBlob(store, patterned(100));
      expect(placeOf(location).offset).toBe((count + 1) * BLOCK_BYTES);
    }
    const together = await Promise.all(Array.from({ length: 4 }, () => putBlob(store, patterned(100))));
    const offsets = together.map(({ location }) => placeOf(location).offset).toSorted((left, right) => left - right);
    expect(offsets).toEqual([0, 1, 2, 3].map((index) => 4 * BLOCK_BYTES + index * 4 * ALIGNMENT));
  });

  test("concurrent uploads fill one segment after another", async () => {
    await using store = await openStore({ segmentBytes: 256 * KIBIBYTE });
    const sizes = Array.from({ length: 200 }, (_, index) => 1 + index * 50);
    const blobs: { location: string }[] = [];
    for (let start = 0; start < sizes.length; start += 20)
      blobs.push(...(await Promise.all(sizes.slice(start, start + 20).map((size) => putBlob(store, patterned(size))))));
    expect((await segmentPaths()).length).toBeGreaterThan(2);
    for (const [index, size] of sizes.entries())
      expect(sha256(await readAll(store, blobs[index]?.location ?? "", size))).toBe(sha256(patterned(size)));
    expect((await listAll(store)).found.toSorted()).toEqual(blobs.map(({ location }) => location).toSorted());
  });

  test("a batch larger than one write is stored", async () => {
    await using store = await openStore();
    const blobs = await Promise.all(Array.from({ length: 1500 }, (_, index) => putBlob(store, patterned(index % 300))));
    const large = await Promise.all(Array.from({ length: 20 }, () => putBlob(store, patterned(1000 * KIBIBYTE))));
    for (const [index, { location }] of blobs.entries())
      expect(await readAll(store, location, index % 300)).toEqual(patterned(index % 300));
    for (const { location } of large)
      expect(sha256(await readAll(store, location, 1000 * KIBIBYTE))).toBe(sha256(patterned(1000 * KIBIBYTE)));
  });

  test("small blobs are written as files when memory is short", async () => {
    await using store = await openStore();
    const staged = await Promise.all(
      Array.from({ length: 70 }, () => store.stage(pieces(patterned(1024 * KIBIBYTE), 65_536), { maxBytes: 2 ** 20 })),
    );
    const locations = await Promise.all(staged.map((each) => store.commit(each)));
    const kinds = locations.map((location) => location.split(":")[0]);
    expect(kinds.filter((kind) => kind === "segment").length).toBeLessThanOrEqual(64);
    expect(kinds).toContain("file");
    // What was taken of it was given back.
    expect((await putBlob(store, patterned(1024 * KIBIBYTE))).location).toStartWith("segment:");
  });

  test("a store that has only files opens, and stores new small blobs in segments", async () => {
    let old: { location: string };
    {
      await using store = await openStore({ smallBytes: 0 });
      old = await putBlob(store, patterned(1000));
    }
    await using store = await openStore();
    const { location } = await putBlob(store, patterned(1000));
    expect(await readAll(store, old.location, 1000)).toEqual(await readAll(store, location, 1000));
    expect((await listAll(store)).found.toSorted()).toEqual([old.location, location].toSorted());
    await store.remove(old.location);
    expect((await listAll(store)).found).toEqual([location]);
  });
});

describe("opening segments", () => {
  test("new blobs are appended after the existing ones", async () => {
    const locations: string[] = [];
    for (let start = 0; start < 3; start++) {
      await using store = await openStore();
      locations.push((await putBlob(store, patterned(500))).location);
    }
    await using store = await openStore();
    expect(new Set(locations.map((location) => placeOf(location).segment)).size).toBe(1);
    for (const location of locations) expect(await readAll(store, location, 500)).toEqual(patterned(500));
    expect((await listAll(store)).found).toEqual(locations);
  });

  test("a torn tail is reported, left in place, and not overwritten", async () => {
    let whole: { location: string };
    {
      await using store = await openStore();
      whole = await putBlob(store, patterned(500));
    }
    overwrite(await onlySegment(), 3 * BLOCK_BYTES, patterned(300));
    await using store = await openStore();
    const next = await putBlob(store, patterned(600));
    expect(placeOf(next.location).segment).not.toBe(placeOf(whole.location).segment);
    const { found, unreadable } = await listAll(store);
    expect(found).toEqual([whole.location, next.location]);
    expect(unreadable).toMatchObject([
      {
        where: `segment ${placeOf(whole.location).segment} at 12288`,
        size: 300,
        extent: { path: pathOf(whole.location), offset: 12288, length: 300 },
      },
    ]);
  });

  test("a truncated record is listed, so the sweeper can remove its rest", async () => {
    let cut: { location: string };
    {
      await using store = await openStore();
      cut = await putBlob(store, patterned(5000));
    }
    fs.truncateSync(await onlySegment(), BLOCK_BYTES + 3000);
    await using store = await openStore();
    await expectCode(store.read(cut.location, { size: 5000 }), "blob_damaged");
    const next = await putBlob(store, patterned(10));
    expect((await listAll(store)).found).toEqual([cut.location, next.location]);
    await store.remove(cut.location);
    await store.compact(async () => [], running);
    expect((await listAll(store)).found).toEqual([next.location]);
    expect(await segmentPaths()).toHaveLength(1);
  });

  test("a segment without records, as a crash leaves it, is removed", async () => {
    fs.mkdirSync(join(folder, "segments"));
    const path = join(folder, "segments", segmentFileName(Bun.randomUUIDv7()));
    fs.writeFileSync(path, "");
    await using store = await openStore();
    expect(await segmentPaths()).toEqual([]);
    await putBlob(store, patterned(10));
  });

  test("a segment of a newer format version is refused", async () => {
    {
      await using store = await openStore();
      await putBlob(store, patterned(10));
    }
    overwrite(await onlySegment(), 7, Buffer.from("2"));
    expect((await rejectionOf(openStore())).message).toContain("another version");
  });
});

describe("damage in a segment", () => {
  const cases = [
    { what: "header", at: 0 },
    { what: "length", at: 8 },
    { what: "nonce", at: 66 },
    { what: "first byte", at: 128 },
    { what: "last byte", at: 128 + 4999 },
  ];
  test.each(cases)("a damaged $what is blob_damaged and affects no other blob", async ({ at }) => {
    await using store = await openStore();
    const [first, hit, last] = await Promise.all([
      putBlob(store, patterned(5000)),
      putBlob(store, patterned(5000)),
      putBlob(store, patterned(5000)),
    ]);
    const path = await onlySegment();
    const position = placeOf(hit.location).offset + at;
    const before = fs.readFileSync(path)[position] as number;
    overwrite(path, position, Uint8Array.of(before ^ 1));
    await expectCode(store.read(hit.location, { size: 5000 }), "blob_damaged");
    await expectCode(store.read(hit.location, { size: 5000, range: { start: 10, end: 20 } }), "blob_damaged");
    for (const { location } of [first, last]) expect(await readAll(store, location, 5000)).toEqual(patterned(5000));
    const { found } = await listAll(store);
    expect(found).toContain(first.location);
    expect(found).toContain(last.location);
  });

  test("a truncated or missing segment affects only the blobs that were in the lost part", async () => {
    await using store = await openStore({ segmentBytes: 8 * KIBIBYTE });
    const blobs = [];
    for (let count = 0; count < 3; count++) blobs.push(await putBlob(store, patterned(8000)));
    const [cut, gone, whole] = blobs.map(({ location }) => location) as [string, string, string];
    fs.truncateSync(pathOf(cut), BLOCK_BYTES + 100);
    fs.rmSync(pathOf(gone));
    await expectCode(store.read(cut, { size: 8000 }), "blob_damaged");
    await expectCode(store.read(gone, { size: 8000 }), "blob_damaged");
    expect(await readAll(store, whole, 8000)).toEqual(patterned(8000));
    await store.remove(gone);
  });

  test("bytes in an image that look like a record are not read as one", async () => {
    await using store = await openStore();
    const innocent = await putBlob(store, patterned(200));
    const path = await onlySegment();
    // As good as it gets: everything right but for the salt, which nobody knows, and even that in the second one.
    const salt = fs.readFileSync(path).subarray(24, 56);
    const offset = 2 * BLOCK_BYTES + 128 + 128;
    const header: RecordHeader = {
      offset,
      length: 100,
      checksum: 0,
      writtenAt: 0,
      key: `${"a".repeat(64)}.${"b".repeat(16)}`,
    };
    const posing = Buffer.concat([Buffer.alloc(128), encodeRecordHeader(header, Buffer.alloc(32)), patterned(1000)]);
    const { location } = await putBlob(store, new Uint8Array(posing));
    expect(placeOf(location).offset).toBe(2 * BLOCK_BYTES);
    expect(await listAll(store)).toEqual({ found: [innocent.location, location], unreadable: [] });
    const posed = `segment:${placeOf(location).segment}:${offset}:100:${"b".repeat(16)}`;
    await expectCode(store.read(posed, { size: 100 }), "blob_damaged");
    // A copy of a whole segment's record is where it should not be, whatever its salt.
    const copied = new Uint8Array(Buffer.concat([encodeRecordHeader({ ...header, offset: 0 }, salt), patterned(100)]));
    await putBlob(store, copied);
    expect((await listAll(store)).found).toHaveLength(3);
  });
});

describe("removing from a segment", () => {
  test("remove erases the bytes and frees their blocks", async () => {
    await using store = await openStore();
    const secret = patterned(300 * KIBIBYTE);
    const kept = await putBlob(store, patterned(100));
    const { location } = await putBlob(store, secret);
    const after = await putBlob(store, patterned(200));
    const path = await onlySegment();
    const allocated = (await stat(path)).blocks * 512;
    expect(await contains(secret.subarray(5000, 5064))).toBe(true);
    await store.remove(location);
    for (const at of [0, 5000, secret.length - 64]) expect(await contains(secret.subarray(at, at + 64))).toBe(false);
    expect(await contains(Buffer.from(location.slice(-16), "hex"))).toBe(false);
    expect((await stat(path)).blocks * 512).toBeLessThan(allocated - 290 * KIBIBYTE);
    expect(await listAll(store)).toEqual({ found: [kept.location, after.location], unreadable: [] });
    expect(await readAll(store, kept.location, 100)).toEqual(patterned(100));
  });

  test("remove overwrites with zeros where the file system cannot punch holes", async () => {
    await using store = await openStore();
    const { location } = await putBlob(store, patterned(2500));
    const path = await onlySegment();
    const fd = fs.openSync(path, "r+");
    openHolePuncher(() => -1)(fd, placeOf(location).offset, 1_000_000);
    fs.closeSync(fd);
    expect(await listAll(store)).toEqual({ found: [], unreadable: [] });
    expect((await stat(path)).size).toBeLessThan(10_000);
  });

  test("removing the last blob deletes the segment and its cached bytes", async () => {
    await using store = await openStore({ segmentBytes: 8 * KIBIBYTE, cacheBytes: 1024 * KIBIBYTE });
    const { location } = await putBlob(store, patterned(8000));
    const other = await putBlob(store, patterned(100));
    for (let time = 0; time < 4; time++) await readAll(store, location, 8000);
    expect(await segmentPaths()).toHaveLength(2);
    await store.remove(location);
    expect(await segmentPaths()).toHaveLength(1);
    await expectCode(store.read(location, { size: 8000 }), "blob_damaged");
    expect(await readAll(store, other.location, 100)).toEqual(patterned(100));
  });

  test("a segment that still has unreadable records is not deleted", async () => {
    await using store = await openStore({ segmentBytes: 16 * KIBIBYTE });
    const [hit, other] = await Promise.all([putBlob(store, patterned(8000)), putBlob(store, patterned(8001))]);
    overwrite(await onlySegment(), placeOf(hit.location).offset, Buffer.from("x"));
    await store.remove(other.location);
    expect(await segmentPaths()).toHaveLength(1);
  });
});

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
      join(folder, "segments", segmentFileName(placeOf(location).segment)),
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
    const path = join(folder, "segments", segmentFileName(placeOf(location).segment));
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

const record = (byte: number) => ({
  key: `${"a".repeat(64)}.${"b".repeat(15)}${byte}`,
  bytes: patterned(100 + byte),
});

describe("segment writer", () => {
  test("a failed write rejects the whole batch, and the next batch goes to a new segment", async () => {
    const sealed: [string, number][] = [];
    let opened = 0;
    const path = join(folder, "segment");
    fs.writeFileSync(path, "");
    await using writer = createSegmentWriter({
      segmentBytes: 1_000_000,
      async open() {
        opened++;
        if (opened === 2) throw new RangeError("no segment");
        // The first can't be written to.
        return {
          id: `s${opened}`,
          salt: Buffer.alloc(32),
          fd: fs.openSync(path, opened === 1 ? "r" : "r+"),
          end: BLOCK_BYTES,
        };
      },
      onWritten() {},
      onSealed: async (id, end) => void sealed.push([id, end]),
    });
    const outcomes = await Promise.allSettled([writer.append(record(1)), writer.append(record(2))]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await until(() => sealed.length > 0);
    expect(sealed).toEqual([["s1", BLOCK_BYTES]]);
    expect((await rejectionOf(writer.probe())).message).toContain("no segment");
    await writer.probe();
    await writer.probe();
    expect(opened).toBe(3);
    expect(await writer.append(record(3))).toStartWith("segment:s3:4096:103:");
  });

  test("a blob that arrives during a probe is written after the probe", async () => {
    const path = join(folder, "segment");
    fs.writeFileSync(path, "");
    let opened = 0;
    await using writer = createSegmentWriter({
      segmentBytes: 1_000_000,
      async open() {
        if (++opened === 1) throw new RangeError("no segment");
        await Bun.sleep(5);
        return { id: "s", salt: Buffer.alloc(32), fd: fs.openSync(path, "r+"), end: BLOCK_BYTES };
      },
      onWritten() {},
      onSealed: async () => {},
    });
    expect((await rejectionOf(writer.append(record(1)))).message).toContain("no segment");
    const probing = writer.probe();
    const appending = writer.append(record(2));
    await probing;
    expect(await appending).toStartWith("segment:s:");
    expect(opened).toBe(2);
  });
});

test("an unreadable record is reported, is not claimed by the sweeper, and does not hide later records", async () => {
  // Memory that is not there reads like a bad sector.
  const fd = fs.openSync("/proc/self/mem", "r");
  const findings = await Array.fromAsync(scanSegment(fd, Buffer.alloc(32), 4 * BLOCK_BYTES));
  fs.closeSync(fd);
  expect(findings).toEqual([{ kind: "unreadable", offset: BLOCK_BYTES, size: 3 * BLOCK_BYTES, isRefused: true }]);
});

test("an I/O error is unavailable, for uploads and for the readiness probe", async () => {
  await using store = await openStore();
  fs.rmSync(join(folder, "segments"), { recursive: true });
  await expectCode(putBlob(store, patterned(10)), "unavailable");
  await expectCode(store.probe(), "unavailable");
  fs.mkdirSync(join(folder, "segments"));
  await store.probe();
  await putBlob(store, patterned(10));
});
