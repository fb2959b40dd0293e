import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { mkdir, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { openDiskBlobs } from "../../../src/adapters/blobs/disk.ts";
import { createBlobFiles } from "../../../src/adapters/blobs/files.ts";
import { createFolderSync, type FolderSync } from "../../../src/adapters/blobs/folder-sync.ts";
import { makeFolder } from "../../../src/adapters/blobs/make-folder.ts";
import { close, open, translateFileError, writeAll } from "../../../src/adapters/files/file-system.ts";
import { createOpenFiles } from "../../../src/adapters/files/open-files.ts";
import { openPageCacheReader } from "../../../src/adapters/files/page-cache.ts";
import type { StoreError } from "../../../src/domain/errors.ts";
import { contentBytes, patterned, pieces, putBlob, sha256 } from "../../blobs.ts";
import { blobStoreContract } from "../../contracts/blob-store.ts";
import { expectCode } from "../../errors.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { rejectionOf, until } from "../../waiting.ts";

let folder: string;
beforeEach(async () => {
  folder = await newFolder("blobs");
});
afterEach(() => removeFolder(folder));

const openStore = (options: { minFree?: number; recover?: boolean } = {}) =>
  openDiskBlobs({
    folder: join(folder, "blobs"),
    minFree: options.minFree ?? 0,
    recover: options.recover ?? true,
    smallBytes: 0,
  });

const temporaryFiles = () => readdir(join(folder, "blobs", "tmp"));
const onlyFile = async () => {
  const names = await readdir(join(folder, "blobs", "files"), { recursive: true });
  const [name = ""] = names.filter((path) => path.length > 10);
  return join(folder, "blobs", "files", name);
};
const openDescriptors = () => fs.readdirSync("/proc/self/fd").length;

blobStoreContract("disk, a file each", () => openStore());

describe("disk blob store, one file per blob", () => {
  test("the temporary folder is empty after commit, discard, a refused upload and probe", async () => {
    await using store = await openStore();
    await putBlob(store, patterned(1000));
    await store.discard(await store.stage(pieces(patterned(1000), 100), { maxBytes: 1000 }));
    await expectCode(store.stage(pieces(patterned(1000), 100), { maxBytes: 999 }), "too_large");
    await store.probe();
    expect(await temporaryFiles()).toEqual([]);
  });

  test("opening as the owner empties the temporary folder; opening as a reader does not", async () => {
    await using store = await openStore();
    const { location } = await putBlob(store, patterned(10));
    const staged = await store.stage(pieces(patterned(5), 5), { maxBytes: 5 });
    await using reader = await openStore({ recover: false });
    expect(await temporaryFiles()).toHaveLength(1);
    expect(await contentBytes(await reader.read(location, { size: 10 }))).toEqual(patterned(10));
    await (await openStore())[Symbol.asyncDispose]();
    expect(await temporaryFiles()).toEqual([]);
    await expectCode(store.commit(staged), "unavailable");
    store.release([staged.key]);
    expect(await Array.fromAsync(store.list())).toHaveLength(1);
  });

  test("opening removes no foreign files from an existing folder", async () => {
    const theirs = join(folder, "blobs", "tmp", "theirs");
    await mkdir(theirs, { recursive: true });
    await writeFile(join(theirs, "notes.txt"), "mine");
    await using store = await openStore();
    await putBlob(store, patterned(10));
    expect(await temporaryFiles()).toEqual(["theirs"]);
    expect(await readdir(theirs)).toEqual(["notes.txt"]);
  });

  test("missing parent folders are created and synced, with access for the owner only", async () => {
    const synced: string[] = [];
    const record = async (path: string) => void synced.push(path);
    await makeFolder(join(folder, "a", "b", "c"), record);
    expect(synced).toEqual([join(folder, "a", "b"), join(folder, "a"), folder]);
    await makeFolder(join(folder, "a", "b", "c"), record);
    expect(synced.slice(3)).toEqual([join(folder, "a", "b")]);
    expect(fs.statSync(join(folder, "a")).mode & 0o777).toBe(0o700);
    await makeFolder("/");
    expect((await rejectionOf(makeFolder("/dev/null/x"))).message).toContain("ENOTDIR");
  });

  test("opening as a reader creates no files", async () => {
    await using store = await openStore({ recover: false });
    expect(await Array.fromAsync(store.list())).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
  });

  test("list includes a blob as soon as another process has committed it", async () => {
    await using writer = await openStore();
    await using reader = await openStore({ recover: false });
    const staged = await writer.stage(pieces(patterned(5), 5), { maxBytes: 5 });
    await writer.commit(staged);
    expect((await Array.fromAsync(reader.list())).map(({ key }) => key)).toEqual([staged.key]);
  });

  test("below minFree, stage is insufficient_storage while read and remove still work", async () => {
    await using roomy = await openStore();
    const { location } = await putBlob(roomy, patterned(10));
    await using full = await openStore({ minFree: Number.MAX_SAFE_INTEGER });
    await expectCode(full.stage(pieces(patterned(10), 10), { maxBytes: 10 }), "insufficient_storage");
    await expectCode(full.probe(), "insufficient_storage");
    expect(await contentBytes(await full.read(location, { size: 10 }))).toEqual(patterned(10));
    await full.remove(location);
    expect(await Array.fromAsync(full.list())).toEqual([]);
  });

  test("a copy of a damaged file is blob_damaged and leaves nothing", async () => {
    await using store = await openStore();
    const bytes = patterned(1000);
    const { location } = await putBlob(store, bytes);
    await writeFile(await onlyFile(), patterned(1000).fill(7, 10, 20));
    await expectCode(store.stageCopy(location, { size: 1000, sha256: sha256(bytes) }), "blob_damaged");
    expect(await temporaryFiles()).toEqual([]);
    expect(await Array.fromAsync(store.list())).toHaveLength(1);
  });

  test("reading a truncated or grown file is blob_damaged", async () => {
    for (const size of [1000, 3_000_000]) {
      for (const wrongSize of [size - 1, size + 1]) {
        await using store = await openStore();
        const { location } = await putBlob(store, patterned(size));
        await truncate(await onlyFile(), wrongSize);
        await expectCode(store.read(location, { size }), "blob_damaged");
        await store.remove(location);
      }
    }
  });

  test("reading a file that was truncated while cached open is blob_damaged", async () => {
    await using store = await openStore();
    const size = 3_000_000;
    const { location } = await putBlob(store, patterned(size));
    await store.read(location, { size, range: { start: 600_000, end: 600_010 } });
    await truncate(await onlyFile(), 500_000);
    await expectCode(store.read(location, { size, range: { start: 600_000, end: 600_010 } }), "blob_damaged");
  });

  test("files that the store did not create are ignored", async () => {
    await using store = await openStore();
    await writeFile(join(folder, "blobs", "files", "00", "notes.txt"), "mine");
    expect(await Array.fromAsync(store.list())).toEqual([]);
  });

  test("an I/O error is unavailable and removes the staged file", async () => {
    await using store = await openStore();
    const staged = await store.stage(pieces(patterned(10), 10), { maxBytes: 10 });
    const shard = join(folder, "blobs", "files", staged.key.slice(0, 2));
    await rm(shard, { recursive: true });
    await writeFile(shard, "no folder");
    await expectCode(store.commit(staged), "unavailable");
    expect(await temporaryFiles()).toEqual([]);
    await rm(join(folder, "blobs", "tmp"), { recursive: true });
    await expectCode(store.stage(pieces(patterned(10), 10), { maxBytes: 10 }), "unavailable");
    await expectCode(store.probe(), "unavailable");
  });

  test("a failed folder sync rejects the commit and removes the file", async () => {
    const failing: FolderSync = { sync: () => Promise.reject(new Error("no sync")), [Symbol.dispose]() {} };
    using files = createBlobFiles(folder, failing);
    await mkdir(join(folder, "aa"));
    await writeFile(join(folder, "staged"), "bytes");
    const key = `${"a".repeat(64)}.${"b".repeat(16)}`;
    expect(await files.place(key, join(folder, "staged")).catch(String)).toBe("Error: no sync");
    expect(await readdir(folder)).toEqual(["aa"]);
    expect(await readdir(join(folder, "aa"))).toEqual([]);
  });

  test("commit and remove sync the folder after the name has changed", async () => {
    const seen: string[][] = [];
    const watching: FolderSync = {
      sync: async (synced) => void seen.push(fs.readdirSync(synced)),
      [Symbol.dispose]() {},
    };
    using files = createBlobFiles(folder, watching);
    await mkdir(join(folder, "aa"));
    await writeFile(join(folder, "staged"), "bytes");
    const key = `${"a".repeat(64)}.${"b".repeat(16)}`;
    const location = await files.place(key, join(folder, "staged"));
    await files.remove(location);
    await files.remove(location);
    expect(seen).toEqual([[key], [], []]);
  });

  test("a listing that fails is unavailable, not truncated", async () => {
    await using store = await openStore();
    const shard = join(folder, "blobs", "files", "7f");
    await rm(shard, { recursive: true });
    await writeFile(shard, "no folder");
    await expectCode(Array.fromAsync(store.list()), "unavailable");
  });

  test.skipIf(process.platform !== "linux")("a full disk is insufficient_storage", async () => {
    const fd = await open("/dev/full", "w");
    const error = await writeAll(fd, patterned(10)).catch((cause: unknown) => translateFileError(cause));
    await close(fd);
    expect((error as StoreError).code).toBe("insufficient_storage");
  });

  test.skipIf(process.platform !== "linux")("no file descriptor leaks", async () => {
    const before = openDescriptors();
    {
      await using store = await openStore();
      const sizes = Array.from({ length: 40 }, (_, index) => 100 + index);
      const blobs = await Promise.all(sizes.map((size) => putBlob(store, patterned(size))));
      await Promise.all(blobs.map(({ location }, index) => store.read(location, { size: 100 + index })));
      await expectCode(store.read(blobs[0]?.location ?? "", { size: 1 }), "blob_damaged");
      await store.discard(await store.stage(pieces(patterned(1000), 100), { maxBytes: 1000 }));
      for (const { location } of blobs.slice(0, 20)) await store.remove(location);
    }
    await until(() => openDescriptors() <= before);
  });
});

test.skipIf(process.platform !== "linux")("a file that is removed while it is read is closed", async () => {
  await using store = await openStore();
  for (let turn = 0; turn < 100; turn++) {
    const { location } = await putBlob(store, patterned(100));
    const reading = store.read(location, { size: 100 }).catch(() => undefined);
    const removing = store.remove(location);
    const late = store.read(location, { size: 100 }).catch(() => undefined);
    await Promise.all([reading, removing, late]);
  }
  await until(() => !openNames().some((name) => name.endsWith("(deleted)")));
});

const make = async (name: string) => {
  const path = join(folder, name);
  await writeFile(path, name);
  return path;
};
/** The names of the files of this test that are open; numbers of descriptors are used again. */
const openNames = () =>
  fs
    .readdirSync("/proc/self/fd")
    .map((fd) => targetOf(`/proc/self/fd/${fd}`))
    .filter((path) => path.startsWith(folder))
    .map((path) => basename(path))
    .toSorted();

function targetOf(link: string): string {
  try {
    return fs.readlinkSync(link);
  } catch {
    // The one by which the folder was read.
    return "";
  }
}

describe.skipIf(process.platform !== "linux")("open file cache", () => {
  test("the most recently used files stay open, up to the limit", async () => {
    using files = createOpenFiles(2);
    for (const name of ["a", "b", "a", "c"]) await files.use(await make(name), ({ size }) => size);
    await until(() => Bun.deepEquals(openNames(), ["a", "c"]));
  });

  test("a file that is forgotten while in use is closed after use", async () => {
    using files = createOpenFiles(2);
    const path = await make("a");
    await files.use(path, async () => {
      files.forget(path);
      await Bun.sleep(1);
      expect(openNames()).toEqual(["a"]);
    });
    await until(() => openNames().length === 0);
  });
});

describe("folder sync", () => {
  test("callers during a running sync share the next one", async () => {
    using folders = createFolderSync();
    const first = folders.sync(folder);
    const second = folders.sync(folder);
    const third = folders.sync(folder);
    expect(second).not.toBe(first);
    expect(third).toBe(second);
    await Promise.all([first, second, third]);
    expect(folders.sync(folder)).not.toBe(second);
    await folders.sync(folder);
  });

  test("callers that arrive as a sync ends share the next one", async () => {
    using folders = createFolderSync();
    const first = folders.sync(folder);
    let late: Promise<void> | undefined;
    const ended = first.then(() => {
      late = folders.sync(folder);
    });
    const next = folders.sync(folder);
    await ended;
    expect(late).toBe(next);
    await next;
  });

  test.skipIf(process.platform !== "linux")(
    "a failed sync reports that earlier changes of its callers may be lost",
    async () => {
      using folders = createFolderSync();
      const link = join(folder, "link");
      // It opens, and can't be synced.
      fs.symlinkSync("/proc", link);
      const mended = folders.sync(link).catch((error: NodeJS.ErrnoException) => {
        fs.unlinkSync(link);
        fs.symlinkSync(folder, link);
        return error.code;
      });
      const waiting = folders.sync(link).catch((error: NodeJS.ErrnoException) => error.code);
      expect([await mended, await waiting]).toEqual(["EINVAL", "EINVAL"]);
      await folders.sync(link);
    },
  );

  test("a failed sync rejects its own callers, not later ones", async () => {
    using folders = createFolderSync();
    const missing = join(folder, "later");
    const first = folders.sync(missing).catch((error: Error) => error);
    const second = folders.sync(missing).catch((error: Error) => error);
    expect(await first).toBeInstanceOf(Error);
    expect(await second).toBeInstanceOf(Error);
    fs.mkdirSync(missing);
    await folders.sync(missing);
  });
});

test.skipIf(process.platform !== "linux")(
  "the page cache returns what was just written, and never more than exists",
  async () => {
    const path = join(folder, "cached");
    await writeFile(path, patterned(100));
    const fd = await open(path, "r");
    const buffer = new Uint8Array(200);
    const read = openPageCacheReader();
    expect(read(fd, buffer, 10)).toBe(90);
    expect(buffer.subarray(0, 90)).toEqual(patterned(100).subarray(10));
    expect(read(-1, buffer, 0)).toBe(0);
    await close(fd);
  },
);
