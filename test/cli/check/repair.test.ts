import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { readdir, readFile, truncate, unlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDiskBlobs } from "../../../src/adapters/blobs/disk.ts";
import { createFolderSync } from "../../../src/adapters/blobs/folder-sync.ts";
import { BytesChanged, openQuarantine } from "../../../src/adapters/blobs/quarantine.ts";
import {
  encodeRecordHeader,
  encodeSegmentHeader,
  parseLocation,
  recordBytes,
  segmentFileName,
} from "../../../src/adapters/blobs/segments/format.ts";
import { lockFolder } from "../../../src/adapters/catalog/sqlite/lock.ts";
import { heal } from "../../../src/cli/check/heal-blob.ts";
import { lookAt, readExtent } from "../../../src/cli/check/raw-bytes.ts";
import type { Album } from "../../../src/domain/album.ts";
import type { BlobRow, BlobStore, Catalog } from "../../../src/ports.ts";
import { claimUnrecorded } from "../../../src/workers/claim-unrecorded.ts";
import { sweepCondemned } from "../../../src/workers/sweep.ts";
import { openCatalog } from "../../adapters/catalog/open-sqlite.ts";
import { contentBytes, patterned, pieces, putBlob, sha256 } from "../../blobs.ts";
import { createAlbum, imageNamed, put } from "../../catalog-changes.ts";
import { startStore } from "../../http/harness.ts";
import { codeOf, newAlbum, newImage, newPng } from "../../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { runCli } from "../run-cli.ts";

const HOUR = 3_600_000;
const onFailure = (error: unknown) => {
  throw error;
};
/** What a healing has no use for that ends before. */
const UNUSED = {
  files: { place: () => Promise.reject(new Error("placed")) },
  lockStore: () => lockFolder(tmpdir()),
  takeSpace: async () => {},
};
const CLEAN = { code: 0, err: "" };
let folder: string;
let catalog: Catalog;
let blobs: BlobStore;
let album: Album;

const open = async () => {
  catalog = await openCatalog(join(folder, "catalog.sqlite"));
  blobs = await openDiskBlobs({ folder: join(folder, "blobs"), minFree: 0, recover: true });
  await blobs.claim(catalog.storeId);
};
const close = async () => {
  await blobs[Symbol.asyncDispose]();
  await catalog[Symbol.asyncDispose]();
};

/** A store that runs, as a server has it: it holds the lock. */
beforeEach(async () => {
  folder = await newFolder("repair");
  await open();
  album = await createAlbum(catalog, "holiday");
});
afterEach(async () => {
  await close();
  await removeFolder(folder);
});

/** Noise, so that no part of one is found in another. */
const noise = (size: number) => crypto.getRandomValues(new Uint8Array(size));

async function storeImage(name: string, bytes: Uint8Array<ArrayBuffer> = noise(10_000)) {
  const staged = await blobs.stage(pieces(bytes, 65_536), { maxBytes: bytes.length });
  const { key } = staged;
  const location = await blobs.commit(staged);
  await put(catalog, album, [imageNamed(name, { blob: { key, location, size: bytes.length, sha256: sha256(bytes) } })]);
  blobs.release([key]);
  return { name, key, location, bytes, path: pathOf(location), offset: parseLocation(location)?.offset ?? 0 };
}
type Stored = Awaited<ReturnType<typeof storeImage>>;

function pathOf(location: string): string {
  const place = parseLocation(location);
  if (place !== undefined) return join(folder, "blobs", "segments", segmentFileName(place.segment));
  const key = location.slice("file:".length);
  return join(folder, "blobs", "files", key.slice(0, 2), key);
}

function overwrite(path: string, position: number, bytes: Uint8Array): void {
  const fd = fs.openSync(path, "r+");
  fs.writeSync(fd, bytes, 0, bytes.length, position);
  fs.closeSync(fd);
}
/** Bits of its bytes are others. */
const rot = ({ path, location, offset }: Stored) =>
  overwrite(path, offset + (location.startsWith("segment:") ? 128 : 0) + 500, noise(8));

async function readByRecord({ key, bytes }: Stored): Promise<Uint8Array> {
  const location = (await catalog.recordedBlobs([key])).get(key) ?? "";
  return contentBytes(await blobs.read(location, { size: bytes.length }));
}

const repair = () => runCli(["check", "--repair"], folder);
const check = () => runCli(["check"], folder);
const quarantineFolder = () => join(folder, "blobs", "quarantine");
/** Each description with the bytes that it is of. */
async function quarantined(): Promise<readonly Record<string, unknown>[]> {
  const names = (await readdir(quarantineFolder())).filter((name) => name !== "lock.sqlite").toSorted();
  const described = names.filter((name) => name.endsWith(".json"));
  expect(names).toEqual(described.flatMap((name) => [name.slice(0, -".json".length), name]));
  return Promise.all(
    described.map(async (name) => ({
      ...(JSON.parse(await readFile(join(quarantineFolder(), name), "utf8")) as Record<string, unknown>),
      bytes: new Uint8Array(await readFile(join(quarantineFolder(), name.slice(0, -".json".length)))),
    })),
  );
}
/** Names, sizes and bytes of all that is not quarantine, nor the catalog's or a lock. */
const inPlace = () => {
  const root = join(folder, "blobs");
  return (fs.readdirSync(root, { recursive: true }) as string[])
    .filter((name) => /^(segments|files)\//.test(name) && fs.statSync(join(root, name)).isFile())
    .toSorted()
    .map((name) => `${name} ${sha256(fs.readFileSync(join(root, name)))}`);
};
async function expectNothingNew(): Promise<void> {
  const before = [inPlace(), await quarantined()];
  const { out } = await repair();
  expect(out).toContain("Added to quarantine: 0.");
  expect([inPlace(), await quarantined()]).toEqual(before);
}
async function makeOld(key: string): Promise<void> {
  const old = new Date(Date.now() - 2 * HOUR);
  await utimes(pathOf(`file:${key}`), old, old);
}
/** What a crash leaves of an upload: bytes with a key of their own and no record. */
async function leaveUnrecorded(bytes: Uint8Array<ArrayBuffer>) {
  await using files = await openDiskBlobs({
    folder: join(folder, "blobs"),
    minFree: 0,
    recover: false,
    smallBytes: 0,
  });
  const { key } = await putBlob(files, bytes);
  await makeOld(key);
  return key;
}
/** What a crash leaves of a compaction: another record of that key, in another segment. */
async function leaveCopy({ key, bytes }: Stored, writtenAt = Date.now()): Promise<string> {
  const salt = Buffer.alloc(32, 7);
  const id = Bun.randomUUIDv7();
  const record = { offset: 4096, length: bytes.length, checksum: Bun.hash.crc32(bytes), writtenAt, key };
  const segment = Buffer.alloc(4096 + recordBytes(bytes.length));
  encodeSegmentHeader({ id, salt }).copy(segment);
  encodeRecordHeader(record, salt).copy(segment, 4096);
  segment.set(bytes, 4096 + 128);
  const path = join(folder, "blobs", "segments", segmentFileName(id));
  await writeFile(path, segment);
  return path;
}

describe("check --repair", () => {
  test("changes nothing in an intact store and exits with 0", async () => {
    await storeImage("i");
    const { code, out, err } = await repair();
    expect({ code, err }).toEqual(CLEAN);
    expect(out).toEndWith("Healed: 0, not healed: 0. Added to quarantine: 0.\n");
    expect(await quarantined()).toEqual([]);
  });

  test("quarantines a damaged blob without another copy, names it, exits with 1, and changes nothing the second time", async () => {
    const image = await storeImage('new\u2009"line"');
    await storeImage("fine");
    rot(image);
    const before = inPlace();
    const rotten = fs.readFileSync(image.path).subarray(image.offset + 128, image.offset + 128 + image.bytes.length);
    const { code, out } = await repair();
    expect(code).toBe(1);
    expect(out).toContain(
      `not healed: "holiday/new\u2009\\"line\\"", SHA-256 ${sha256(image.bytes)}: its bytes are nowhere else\n`,
    );
    expect(out).toContain("Healed: 0, not healed: 1. Added to quarantine: 1.\nIn quarantine: 1, 9.8 KiB.\n");
    expect(await quarantined()).toEqual([
      {
        format: 1,
        file: `segments/${image.path.slice(-44)}`,
        offset: image.offset + 128,
        length: image.bytes.length,
        sha256: sha256(rotten),
        reason: expect.stringContaining("checksum"),
        key: image.key,
        images: ['holiday/new\u2009"line"'],
        quarantinedAt: expect.any(String),
        bytes: new Uint8Array(rotten),
      },
    ]);
    expect(inPlace()).toEqual(before);
    await expectNothingNew();
    expect((await check()).out).toContain("In quarantine: 1, 9.8 KiB.\n");
  });

  test("heals from a second copy beside a server, and quarantines the damaged one until it is swept", async () => {
    const image = await storeImage("i");
    await leaveCopy(image);
    rot(image);
    const { code, out, err } = await repair();
    expect({ code, err }).toEqual(CLEAN);
    expect(out).toContain(`healed: "holiday/i", SHA-256 ${sha256(image.bytes)}\n`);
    expect(await readByRecord(image)).toEqual(image.bytes);
    expect(await quarantined()).toMatchObject([{ key: image.key, images: ["holiday/i"] }]);
    await expectNothingNew();
    await claimUnrecorded({ catalog, blobs }, { grace: -HOUR, onFailure });
    await sweepCondemned({ catalog, blobs }, { grace: -HOUR, onFailure });
    expect((await check()).code).toBe(0);
    expect(await readByRecord(image)).toEqual(image.bytes);
    expect(await quarantined()).toHaveLength(1);
  });

  test("finds a second copy that the sweeper has left", async () => {
    const image = await storeImage("i");
    await leaveCopy(image, Date.now() - 2 * HOUR);
    rot(image);
    await claimUnrecorded({ catalog, blobs }, { grace: HOUR, onFailure });
    expect(await repair()).toMatchObject(CLEAN);
    expect(await readByRecord(image)).toEqual(image.bytes);
  });

  test("does not heal from a damaged copy", async () => {
    const image = await storeImage("i");
    const copy = await leaveCopy(image);
    rot(image);
    overwrite(copy, 4096 + 128 + 9000, noise(8));
    expect((await repair()).out).toContain("its bytes are nowhere else");
  });

  test("heals from an unrecorded copy with the right digest and quarantines it too", async () => {
    const image = await storeImage("i");
    rot(image);
    const stray = await leaveUnrecorded(image.bytes);
    expect(await repair()).toMatchObject(CLEAN);
    expect(await readByRecord(image)).toEqual(image.bytes);
    const entries = await quarantined();
    expect(entries.map(({ key }) => key)).toContain(stray);
    expect(entries).toHaveLength(2);
  });

  test("heals from another image with equal bytes, which keeps its own", async () => {
    const bytes = noise(5000);
    const image = await storeImage("i", bytes);
    const other = await storeImage("other", bytes);
    rot(image);
    expect(await repair()).toMatchObject(CLEAN);
    expect(await readByRecord(image)).toEqual(bytes);
    await catalog.write({ type: "deleteImage", albumId: album.id, name: "other" });
    await sweepCondemned({ catalog, blobs }, { grace: -HOUR, onFailure });
    expect(await readByRecord(image)).toEqual(bytes);
    expect(await catalog.recordedBlobs([other.key])).toEqual(new Map());
  });

  test("rewrites a damaged record header around intact bytes and quarantines nothing", async () => {
    const image = await storeImage("i");
    const next = await storeImage("next");
    overwrite(image.path, image.offset, noise(128));
    const { code, out } = await repair();
    expect(out).toContain('healed: "holiday/i"');
    expect(code).toBe(0);
    expect(await readByRecord(image)).toEqual(image.bytes);
    expect(await readByRecord(next)).toEqual(next.bytes);
    expect(await quarantined()).toEqual([]);
  });

  test("reads the images of a segment with a damaged header, and quarantines only unowned bytes", async () => {
    const images = await Promise.all([1, 2, 3].map((index) => storeImage(`i${index}`)));
    overwrite(images[0]?.path ?? "", 0, noise(100));
    expect(await repair()).toMatchObject(CLEAN);
    const entries = await quarantined();
    expect(entries).toMatchObject([{ offset: 0, length: 4096, reason: "torn by a crash, or damaged" }]);
    for (const image of images) expect(await readByRecord(image)).toEqual(image.bytes);
    await expectNothingNew();
  });

  test("quarantines what is left of an image in a truncated segment", async () => {
    const image = await storeImage("i");
    await truncate(image.path, image.offset + 128 + 4000);
    const { code, out } = await repair();
    expect(code).toBe(1);
    expect(out).toContain('not healed: "holiday/i"');
    expect(await quarantined()).toMatchObject([
      { key: image.key, length: 4000, bytes: new Uint8Array(image.bytes.subarray(0, 4000)) },
    ]);
    await expectNothingNew();
  });

  test("names the images of a missing segment and quarantines nothing", async () => {
    const images = await Promise.all([1, 2, 3].map((index) => storeImage(`i${index}`)));
    await close();
    await unlink(images[0]?.path ?? "");
    await open();
    const { code, out } = await repair();
    expect(code).toBe(1);
    for (const { name, bytes } of images)
      expect(out).toContain(`not healed: "holiday/${name}", SHA-256 ${sha256(bytes)}`);
    expect(await quarantined()).toEqual([]);
    expect((await readdir(join(folder, "blobs", "segments"))).length).toBe(0);
  });

  test("quarantines a torn tail and leaves it in place", async () => {
    const image = await storeImage("i");
    const torn = noise(3000);
    const end = fs.statSync(image.path).size;
    fs.appendFileSync(image.path, torn);
    const { code } = await repair();
    expect(code).toBe(0);
    const [entry, ...more] = await quarantined();
    expect(more).toEqual([]);
    expect(entry).toMatchObject({ offset: end, length: 3000, bytes: torn });
    expect(fs.readFileSync(image.path).includes(torn)).toBe(true);
    await expectNothingNew();
  });

  test("quarantines blobs without a record only after the grace period, and the server sweeps them", async () => {
    const old = noise(70);
    const key = await leaveUnrecorded(old);
    await putBlob(blobs, patterned(20));
    expect(await repair()).toMatchObject(CLEAN);
    expect(await quarantined()).toMatchObject([{ key, bytes: old, reason: "no record has it" }]);
    await expectNothingNew();
    await claimUnrecorded({ catalog, blobs }, { grace: HOUR, onFailure });
    await sweepCondemned({ catalog, blobs }, { grace: HOUR, onFailure });
    expect(fs.existsSync(pathOf(`file:${key}`))).toBe(false);
    expect(await quarantined()).toHaveLength(1);
  });

  test("replaces a damaged large file only while no server runs", async () => {
    const bytes = noise(2_000_000);
    const image = await storeImage("large", bytes);
    await storeImage("equal", bytes);
    rot(image);
    const rotten = fs.readFileSync(image.path);
    const beside = await repair();
    expect(beside.code).toBe(1);
    expect(beside.out).toContain("cannot be replaced while a server runs");
    expect(fs.readFileSync(image.path).equals(rotten)).toBe(true);
    await close();
    expect(await repair()).toMatchObject(CLEAN);
    await open();
    expect(await readByRecord(image)).toEqual(bytes);
    expect(await quarantined()).toMatchObject([{ bytes: new Uint8Array(rotten) }]);
  });

  test("heals a missing large file beside a server", async () => {
    const bytes = noise(2_000_000);
    const image = await storeImage("large", bytes);
    await storeImage("equal", bytes);
    await unlink(image.path);
    expect(await repair()).toMatchObject(CLEAN);
    expect(await readByRecord(image)).toEqual(bytes);
  });

  test("heals nothing while a backup holds the store, and heals in the next run", async () => {
    const image = await storeImage("i");
    await leaveCopy(image);
    rot(image);
    await catalog.write({ type: "hold", id: "backup", seconds: 60 });
    const { code, out } = await repair();
    expect(code).toBe(1);
    expect(out).toContain("a backup or another check holds the store");
    await catalog.write({ type: "releaseHold", id: "backup" });
    expect(await repair()).toMatchObject(CLEAN);
    expect(await readByRecord(image)).toEqual(image.bytes);
  });

  test("reports a full disk, exits with 1, and leaves no partial file", async () => {
    rot(await storeImage("i"));
    const env = { IMAGE_STORE_DATA: folder, IMAGE_STORE_MIN_FREE: String(2 ** 50) };
    const { code, err } = await runCli(["check", "--repair"], folder, { env });
    expect(code).toBe(1);
    expect(err).toBe(
      `image-store: ${folder}: The disk is nearly full. Delete something, or make room. Make room there, and run it again.\n`,
    );
    expect(await quarantined()).toEqual([]);
    expect((await repair()).out).toContain("Added to quarantine: 1.");
    const again = await runCli(["check", "--repair"], folder, { env });
    expect(again).toMatchObject({ code: 1, err: "" });
    expect(again.out).toContain("Added to quarantine: 0.");
  });

  test.each([0, 1])("on a disk that is full after %d writes leaves no partial file", async (pieceCount) => {
    await repair();
    using folders = createFolderSync();
    const quarantine = await openQuarantine(join(folder, "blobs"), folders);
    const source = async function* () {
      for (let index = 0; index < pieceCount; index++) yield noise(1000);
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });
    };
    const extent = { path: join(folder, "blobs", "segments", "x"), offset: 0, length: 2000 };
    const adding = quarantine.add({ extent, sha256: "0".repeat(64), source }, { reason: "none" });
    expect(await adding.catch((error: unknown) => error)).toMatchObject({ code: "ENOSPC" });
    expect(await quarantined()).toEqual([]);
  });

  test("does not use bytes that change while they are copied", async () => {
    const image = await storeImage("i");
    await repair();
    using folders = createFolderSync();
    const quarantine = await openQuarantine(join(folder, "blobs"), folders);
    const extent = { path: image.path, offset: image.offset + 128, length: image.bytes.length };
    const adding = quarantine.add({ extent, sha256: "0".repeat(64), source: () => readExtent(extent) }, { reason: "" });
    expect(await adding.catch((error: unknown) => error)).toBeInstanceOf(BytesChanged);
    const [row] = await catalog.blobs({ limit: 1 });
    const sound = await lookAt(extent);
    rot(image);
    const options = { catalog, blobsFolder: join(folder, "blobs"), quarantine, ...UNUSED };
    expect(await heal(options, row as BlobRow, sound)).toMatchObject({ kind: "impossible" });
    expect(await quarantined()).toEqual([]);
  });

  test("completes what a killed run left", async () => {
    rot(await storeImage("i"));
    await repair();
    const [name = ""] = (await readdir(quarantineFolder())).filter((each) => each.endsWith(".json"));
    await unlink(join(quarantineFolder(), name));
    await writeFile(join(quarantineFolder(), "0.unfinished"), "half");
    expect((await repair()).out).toContain("Added to quarantine: 1.");
    expect(await quarantined()).toHaveLength(1);
  });

  test("makes images readable again that a running server answered with 503", async () => {
    await using store = await startStore();
    const shelf = await newAlbum(store);
    const bytes = newPng(20_000);
    const [image] = [await newImage(store, shelf, "a", bytes), await newImage(store, shelf, "b", bytes)];
    const content = `${shelf}/images/a/content`;
    const segments = join(store.dataFolder, "blobs", "segments");
    const [name = ""] = await readdir(segments);
    overwrite(join(segments, name), 4096 + 128 + 500, noise(8));
    expect(await codeOf(await store.fetch(content))).toBe("blob_damaged");
    const { code, out } = await runCli(["check", "--repair"], store.dataFolder);
    expect(out).toContain(`healed: `);
    expect(code).toBe(0);
    // It looks again after its next write, as the sweeper makes one once a minute.
    await newAlbum(store);
    const response = await store.fetch(content);
    expect(response.status).toBe(200);
    expect(sha256(await response.bytes())).toBe(image.sha256);
  });

  test("runs once at a time", async () => {
    await storeImage("i");
    await repair();
    using _ = lockFolder(quarantineFolder());
    expect(await repair()).toMatchObject({ code: 1, err: "image-store: Another repair of this store is running.\n" });
  });
});
