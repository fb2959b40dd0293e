import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { readdir, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { openDiskBlobs } from "../../../src/adapters/blobs/disk.ts";
import { type CheckResult, checkStore, type Finding } from "../../../src/cli/check/check-store.ts";
import type { CliContext } from "../../../src/cli/context.ts";
import { createProgressBar, formatBytes } from "../../../src/cli/progress-bar.ts";
import type { Album } from "../../../src/domain/album.ts";
import type { BlobStore, Catalog } from "../../../src/ports.ts";
import { sweepCondemned } from "../../../src/workers/sweep.ts";
import { openCatalog } from "../../adapters/catalog/open-sqlite.ts";
import { patterned, pieces, putBlob } from "../../blobs.ts";
import { createAlbum, imageNamed, put } from "../../catalog-changes.ts";
import { openDatabaseFile } from "../../open-database-file.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { failingBeyond } from "../failing-blobs.ts";
import { runCli } from "../run-cli.ts";

const HOUR = 3_600_000;
let folder: string;
let catalog: Catalog;
let blobs: BlobStore;
let album: Album;

beforeEach(async () => {
  folder = await newFolder("check");
  catalog = await openCatalog(join(folder, "catalog.sqlite"));
  blobs = await openDiskBlobs({ folder: join(folder, "blobs"), minFree: 0, recover: true, smallBytes: 0 });
  await blobs.claim(catalog.storeId);
  album = await createAlbum(catalog, "holiday");
});
afterEach(async () => {
  await blobs[Symbol.asyncDispose]();
  await catalog[Symbol.asyncDispose]();
  await removeFolder(folder);
});

async function storeImage(name: string, size: number) {
  const staged = await blobs.stage(pieces(patterned(size), 65_536), { maxBytes: size });
  const { key, sha256 } = staged;
  const location = await blobs.commit(staged);
  await put(catalog, album, [imageNamed(name, { blob: { key, location, size, sha256 } })]);
  blobs.release([key]);
  return { key, location, path: await pathOf(key) };
}

async function pathOf(key: string): Promise<string> {
  const names = await readdir(join(folder, "blobs", "files"), { recursive: true });
  return join(folder, "blobs", "files", names.find((name) => name.endsWith(key)) ?? "");
}

async function age(key: string): Promise<void> {
  const old = new Date(Date.now() - 2 * HOUR);
  await utimes(await pathOf(key), old, old);
}

async function checkAll(
  ports: { catalog?: Catalog; blobs?: BlobStore } = {},
): Promise<CheckResult & { findings: Finding[] }> {
  const findings: Finding[] = [];
  const result = await checkStore({
    catalog,
    blobs,
    grace: HOUR,
    progress: () => {},
    report: (finding) => void findings.push(finding),
    ...ports,
  });
  return { ...result, findings };
}

const keyOf = (finding: Finding) => {
  if (finding.kind === "unreadable") return finding.bytes.where;
  if (finding.kind === "miscounted") return finding.miscount.scope;
  return "row" in finding ? finding.row.key : finding.blob.key;
};

const FINE = { damaged: 0, checksums: 0, unrecorded: 0, young: 0, miscounted: 0, findings: [] };

describe("checkStore", () => {
  test("finds no problem in an empty store", async () => {
    expect(await checkAll()).toEqual({ ...FINE, blobs: 0, bytes: 0 });
  });

  test("finds no problem in intact blobs, small and large, and ignores condemned blobs", async () => {
    await storeImage("small", 1000);
    await storeImage("large", 3_000_000);
    await storeImage("gone", 500);
    await catalog.write({ type: "deleteImage", albumId: album.id, name: "gone" });
    expect(await checkAll()).toEqual({ ...FINE, blobs: 2, bytes: 3_001_000 });
  });

  test("reads more than one page", async () => {
    const images = Array.from({ length: 510 }, async (_, index) => {
      const { key, location } = await putBlob(blobs, patterned(10 + index));
      return imageNamed(`i${index}`, { blob: { key, location, size: 10 + index, sha256: key.slice(0, 64) } });
    });
    await put(catalog, album, await Promise.all(images));
    expect(await checkAll()).toMatchObject({ ...FINE, blobs: 510 });
  });

  test("reports missing, truncated and altered blobs with the images that have them", async () => {
    const missing = await storeImage("missing", 1000);
    const cut = await storeImage("cut", 2000);
    const altered = await storeImage("altered", 3000);
    const alteredLarge = await storeImage("altered large", 2_000_000);
    await storeImage("fine", 4000);
    await rm(missing.path);
    await truncate(cut.path, 1999);
    await writeFile(altered.path, new Uint8Array(3000));
    await writeFile(alteredLarge.path, new Uint8Array(2_000_000));

    const { findings, ...result } = await checkAll();
    expect(result).toEqual({
      blobs: 5,
      bytes: 2_010_000,
      damaged: 4,
      checksums: 0,
      unrecorded: 0,
      young: 0,
      miscounted: 0,
    });
    const found = new Map(findings.map((finding) => [keyOf(finding), finding]));
    expect(found.get(missing.key)).toMatchObject({ kind: "damaged", images: ["holiday/missing"] });
    expect(found.get(cut.key)).toMatchObject({ kind: "damaged", images: ["holiday/cut"] });
    expect(found.get(altered.key)).toMatchObject({ kind: "damaged", images: ["holiday/altered"] });
    expect(found.get(alteredLarge.key)).toMatchObject({ kind: "damaged", images: ["holiday/altered large"] });
  });

  test("reports blobs without a record as a problem only after the grace period", async () => {
    await storeImage("fine", 1000);
    const old = await putBlob(blobs, patterned(10));
    const young = await putBlob(blobs, patterned(20));
    await age(old.key);
    const { findings, ...result } = await checkAll();
    expect(result).toEqual({ blobs: 1, bytes: 1000, damaged: 0, checksums: 0, unrecorded: 1, young: 1, miscounted: 0 });
    const kinds = new Map(findings.map((finding) => [keyOf(finding), finding.kind]));
    expect(kinds).toEqual(
      new Map([
        [old.key, "unrecorded" as const],
        [young.key, "young" as const],
      ]),
    );
  });

  test("ignores what a running server uploads meanwhile", async () => {
    const old = await putBlob(blobs, patterned(10));
    await age(old.key);
    const removing: Catalog = {
      ...catalog,
      async recordedBlobs(keys) {
        await blobs.remove(old.location);
        return catalog.recordedBlobs(keys);
      },
    };
    expect(await checkAll({ catalog: removing })).toEqual({ ...FINE, blobs: 0, bytes: 0 });
  });

  test("holds the store while it runs, and releases it even when it fails", async () => {
    await storeImage("i", 1000);
    await catalog.write({ type: "deleteImage", albumId: album.id, name: "i" });
    const sweep = () => sweepCondemned({ catalog, blobs }, { grace: -HOUR, onFailure: () => {} });
    const failing: BlobStore = {
      ...blobs,
      async *list() {
        expect(await sweep()).toBe(0);
        yield* [];
        throw new Error("the disk is gone");
      },
    };
    expect(await checkAll({ blobs: failing }).catch((error: unknown) => error)).toEqual(new Error("the disk is gone"));
    expect(await sweep()).toBe(1);
  });

  test("reports a large file with a read error and continues", async () => {
    await storeImage("large", 3_000_000);
    await storeImage("small", 1000);
    const failing = failingBeyond(1000, blobs);
    const { findings, ...result } = await checkAll({ blobs: failing });
    expect(result).toEqual({
      blobs: 2,
      bytes: 3_001_000,
      damaged: 1,
      checksums: 0,
      unrecorded: 0,
      young: 0,
      miscounted: 0,
    });
    expect(findings).toMatchObject([{ reason: "EIO: i/o error, read", images: ["holiday/large"] }]);
  });

  test("does not report blobs that were deleted while its hold had lapsed", async () => {
    await storeImage("i", 1000);
    const sleeping: BlobStore = {
      ...blobs,
      async read(location, what) {
        await catalog.write({ type: "deleteImage", albumId: album.id, name: "i" });
        await blobs.remove(location);
        return blobs.read(location, what);
      },
    };
    expect(await checkAll({ blobs: sleeping })).toMatchObject(FINE);
  });

  test("renews its hold in time", async () => {
    const intervals: { renew: () => void; milliseconds: number }[] = [];
    const timers = spyOn(globalThis, "setInterval").mockImplementation(((renew: () => void, milliseconds: number) => {
      intervals.push({ renew, milliseconds });
    }) as never);
    try {
      const holds: { id: string; seconds: number }[] = [];
      const watched: Catalog = {
        ...catalog,
        write(change) {
          if (change.type === "hold") holds.push(change);
          return catalog.write(change);
        },
      };
      const renewing: BlobStore = {
        ...blobs,
        list() {
          for (const { renew } of intervals) renew();
          return blobs.list();
        },
      };
      await checkAll({ catalog: watched, blobs: renewing });
      const [first, second] = holds;
      expect(second).toEqual(first as NonNullable<typeof first>);
      expect(intervals.map(({ milliseconds }) => milliseconds * 3 <= (first?.seconds ?? 0) * 1000)).toEqual([true]);
    } finally {
      timers.mockRestore();
    }
  });

  test("does not report a blob as damaged when the store is unavailable", async () => {
    await storeImage("i", 1000);
    const broken: BlobStore = { ...blobs, read: () => Promise.reject(new TypeError("a bug")) };
    expect(await checkAll({ blobs: broken }).catch((error: unknown) => error)).toEqual(new TypeError("a bug"));
    await putBlob(blobs, patterned(10));
    const failed = await checkAll({ blobs: broken, catalog: { ...catalog, blobs: async () => [] } }).catch(String);
    expect(failed).toContain("a bug");
  });
});

const runCheck = (more: Partial<CliContext> = {}, data = folder) => runCli(["check"], data, more);

describe("image-store check", () => {
  test("beside a running server exits with 0 when nothing is wrong", async () => {
    await storeImage("i", 1024);
    expect(await runCheck()).toEqual({
      code: 0,
      out: "1.0 KiB read. Images: 1, damaged: 0. Blobs without a record: 0, younger than the grace: 0.\n",
      err: "",
    });
  });

  test("prints each finding with quoted names and exits with 1", async () => {
    const { key, path } = await storeImage('new\u2009"line"', 1024);
    await rm(path);
    const stray = await putBlob(blobs, patterned(10));
    await age(stray.key);
    const { code, out } = await runCheck();
    expect(code).toBe(1);
    expect(out).toContain(`damaged: blob ${key} of "holiday/new\u2009\\"line\\"": ENOENT`);
    expect(out).toContain(`unrecorded: blob ${stray.key}, 10 bytes`);
    expect(out).toEndWith(
      "1.0 KiB read. Images: 1, damaged: 1. Blobs without a record: 1, younger than the grace: 0.\n",
    );
  });

  test("finds wrong counters of albums and quotas, which a repair corrects", async () => {
    await storeImage("i", 1024);
    await catalog.write({ type: "setQuota", scope: "store", limits: { maxBytes: 2000, maxImages: null } });
    using db = openDatabaseFile(join(folder, "catalog.sqlite"));
    db.run("update albums set byte_count = byte_count + 1, image_count = image_count + 5");
    db.run("update quotas set bytes = 7");
    const { code, out } = await runCheck();
    expect(code).toBe(1);
    expect(out).toContain(
      'miscounted: the album "holiday" records 6 images, 1025 bytes, but has 1 images, 1024 bytes\n',
    );
    expect(out).toContain("miscounted: the quota store records 1 images, 7 bytes, but has 1 images, 1024 bytes\n");
    expect(out).toEndWith("Wrong counters: 2.\n");

    const repaired = await runCli(["check", "--repair"], folder);
    expect(repaired.code).toBe(0);
    expect(repaired.out).toEndWith("Counters corrected: 2.\n");
    expect((await runCheck()).code).toBe(0);
    expect(await catalog.quotas(["store"])).toMatchObject([{ used: { images: 1, bytes: 1024 } }]);
    expect(await catalog.album("holiday", "all")).toMatchObject({ imageCount: 1, byteCount: 1024 });
  });

  test("finds a CRC-32 that is not that of the intact bytes, which a repair corrects", async () => {
    const { key } = await storeImage("i", 1024);
    await storeImage("other", 2000);
    await catalog.write({ type: "recordChecksums", blobs: [{ key, crc32: 5 }] });
    const { code, out } = await runCheck();
    expect(code).toBe(1);
    expect(out).toContain(`checksum: the catalog has another CRC-32 than the intact blob ${key} of "holiday/i", so `);
    expect(out).toEndWith(
      "Images: 2, damaged: 0. Blobs without a record: 0, younger than the grace: 0. Wrong checksums: 1.\n",
    );

    const repaired = await runCli(["check", "--repair"], folder);
    expect(repaired.code).toBe(0);
    expect(repaired.out).toEndWith("Checksums corrected: 1.\n");
    expect((await runCheck()).code).toBe(0);
    const [file] = await catalog.imageFiles({
      albumId: album.id,
      createdUntil: Date.now() + HOUR,
      after: "",
      limit: 1,
    });
    expect(file).toMatchObject({ name: "i", crc32: crc32(patterned(1024)) });
  });

  test("prints young blobs without a record, and exits with 0", async () => {
    const { key } = await putBlob(blobs, patterned(10));
    const { code, out } = await runCheck();
    expect(code).toBe(0);
    expect(out).toContain(`unrecorded, young: blob ${key}`);
    expect(out).toContain("Blobs without a record: 0, younger than the grace: 1.");
  });

  test("draws a progress bar when standard error is a terminal", async () => {
    await storeImage("i", 1024);
    const { err, out } = await runCheck({ isErrorTerminal: true });
    expect(err).toContain("100 %  1.0 KiB of 1.0 KiB");
    expect(err).toEndWith("\r\u001b[K");
    expect(out).not.toContain("%");
  });

  test("without a store exits with 1 and creates nothing", async () => {
    const nowhere = join(folder, "nowhere");
    const { code, err } = await runCheck({}, nowhere);
    expect(code).toBe(1);
    expect(err).toContain("There is no store");
    expect(await readdir(folder)).not.toContain("nowhere");
  });
});

describe("the progress bar", () => {
  test("grows up to 100 % and draws at a bounded rate", () => {
    const written: string[] = [];
    const bar = createProgressBar(100, (text) => void written.push(text));
    bar.advance(50);
    bar.advance(51);
    expect(written).toHaveLength(1);
    expect(written[0]).toContain(`${"█".repeat(15)}${"░".repeat(15)} 50 %`);
    createProgressBar(0, (text) => void written.push(text)).advance(10);
    expect(written[1]).toContain("100 %");
  });

  test("formats sizes with units", () => {
    expect([0, 1023, 1024, 1_572_864, 5 * 1024 ** 4].map(formatBytes)).toEqual([
      "0 bytes",
      "1023 bytes",
      "1.0 KiB",
      "1.5 MiB",
      "5.0 TiB",
    ]);
  });
});
