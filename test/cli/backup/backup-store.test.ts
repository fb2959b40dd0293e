import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { openDiskBlobs } from "../../../src/adapters/blobs/disk.ts";
import { copyCatalog, openSnapshot, writeSnapshot } from "../../../src/adapters/catalog/sqlite/snapshot.ts";
import { explainFolderError, explainFullStore } from "../../../src/adapters/files/folder-error.ts";
import { openBackupFolder } from "../../../src/cli/backup/backup-folder.ts";
import { type BackupOptions, backupStore, type Damage } from "../../../src/cli/backup/backup-store.ts";
import type { Album } from "../../../src/domain/album.ts";
import { StoreError } from "../../../src/domain/errors.ts";
import type { BlobStore, Catalog } from "../../../src/ports.ts";
import { sweepCondemned } from "../../../src/workers/sweep.ts";
import { failTest, openCatalog } from "../../adapters/catalog/open-sqlite.ts";
import { patterned, putBlob } from "../../blobs.ts";
import { createAlbum, imageNamed, put } from "../../catalog-changes.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { failingBeyond } from "../failing-blobs.ts";

const HOUR = 3_600_000;
let folder: string;
let catalogPath: string;
let catalog: Catalog;
let blobs: BlobStore;
let album: Album;

beforeEach(async () => {
  folder = await newFolder("backup");
  catalogPath = join(folder, "catalog.sqlite");
  catalog = await openCatalog(catalogPath);
  blobs = await openDiskBlobs({ folder: join(folder, "blobs"), minFree: 0, recover: true });
  album = await createAlbum(catalog, "a");
});
afterEach(async () => {
  await blobs[Symbol.asyncDispose]();
  await catalog[Symbol.asyncDispose]();
  await removeFolder(folder);
});

async function storeImage(name: string, size: number) {
  const { key, location } = await putBlob(blobs, patterned(size));
  const blob = { key, location, size, sha256: key.slice(0, 64) };
  await put(catalog, album, [imageNamed(name, { blob })]);
  return blob;
}

async function backUp(more: Partial<BackupOptions> = {}) {
  const damages: Damage[] = [];
  await using target = await openBackupFolder(join(folder, "backup"), catalog.storeId);
  const result = await backupStore({
    catalog,
    catalogPath,
    blobs,
    target,
    verify: false,
    progress: () => {},
    report: (damage) => void damages.push(damage),
    ...more,
  });
  return { ...result, damages };
}

/** What the backup in the folder would restore. */
async function backedUp(): Promise<string[]> {
  const name = (await readdir(join(folder, "backup"))).find((file) => file.startsWith("catalog-")) ?? "";
  using snapshot = openSnapshot(join(folder, "backup", name));
  return snapshot
    .blobs("")
    .map(({ image }) => image)
    .sort();
}

const deleteImage = (name: string) => catalog.write({ type: "deleteImage", albumId: album.id, name });
/** As a server beside it would, with no grace at all. */
const sweep = () =>
  sweepCondemned({ catalog, blobs }, { grace: -HOUR, onFailure: (error) => failTest(error as Error) });

const failBadly = () => Promise.reject(new TypeError("a bug"));

describe("backupStore", () => {
  test("copies everything that existed when it began, whatever is deleted and swept meanwhile", async () => {
    for (const [index, name] of ["i", "j", "k"].entries()) await storeImage(name, 1000 + index);
    let swept = -1;
    const deleting: BlobStore = {
      ...blobs,
      async read(location, what) {
        if (swept < 0) {
          swept = 0;
          for (const name of ["i", "j", "k"]) await deleteImage(name);
          swept = await sweep();
        }
        return blobs.read(location, what);
      },
    };
    expect(await backUp({ blobs: deleting })).toMatchObject({ images: 3, copied: 3, damaged: 0 });
    expect(swept).toBe(0);
    expect(await backedUp()).toEqual(["a/i", "a/j", "a/k"]);
    // The hold is gone with it.
    expect(await sweep()).toBe(3);
  });

  test("fails when its hold lapsed and blobs were swept, and completes when it is run again", async () => {
    await storeImage("i", 1000);
    const sleeping: BlobStore = {
      ...blobs,
      async read(location, what) {
        await deleteImage("i");
        await releaseHolds();
        expect(await sweep()).toBe(1);
        return blobs.read(location, what);
      },
    };
    const held: string[] = [];
    const watched: Catalog = {
      ...catalog,
      write(change) {
        if (change.type === "hold") held.push(change.id);
        return catalog.write(change);
      },
    };
    const releaseHolds = () => Promise.all(held.map((id) => catalog.write({ type: "releaseHold", id })));
    expect(await backUp({ blobs: sleeping, catalog: watched }).catch(String)).toContain(
      "The hold on the store expired" as never,
    );
    expect(await backUp()).toMatchObject({ images: 0, damaged: 0 });
  });

  test("follows blobs that were moved while its hold had lapsed", async () => {
    const { location } = await storeImage("i", 1000);
    const moved: BlobStore = {
      ...blobs,
      read: (where, what) => blobs.read(where === "moved" ? location : "elsewhere", what),
    };
    const moving: Catalog = {
      ...catalog,
      blobs: async (query) => (await catalog.blobs(query)).map((row) => ({ ...row, location: "moved" })),
    };
    expect(await backUp({ blobs: moved, catalog: moving })).toMatchObject({ copied: 1, damaged: 0 });
  });

  test("copies the catalog on a thread of its own, so the hold is renewed meanwhile", async () => {
    const turns: string[] = [];
    const copied = writeSnapshot(catalogPath, join(folder, "copy.sqlite")).then(() => turns.push("copied"));
    setTimeout(() => turns.push("a timer"), 0);
    await copied;
    expect(turns).toEqual(["a timer", "copied"]);
    expect((await stat(join(folder, "copy.sqlite"))).mode & 0o777).toBe(0o600);
  });

  test("reports why the catalog cannot be copied", async () => {
    const failure = writeSnapshot(catalogPath, join(folder, "nowhere", "copy.sqlite"));
    expect(await failure.catch(({ code }: { code: string }) => code)).toBe("ENOENT" as never);
    const missing = { path: join(folder, "none.sqlite"), target: join(folder, "copy.sqlite") };
    expect(() => copyCatalog(missing)).toThrow(expect.objectContaining({ code: "SQLITE_CANTOPEN" }));
    copyCatalog({ path: catalogPath, target: join(folder, "another.sqlite") });
    expect(existsSync(join(folder, "another.sqlite"))).toBe(true);
  });

  test.each(["is done", "fails"])(
    "%s even when its hold cannot be released, since the hold lapses",
    async (outcome) => {
      await storeImage("i", 1000);
      const full: Catalog = {
        ...catalog,
        write: (change) =>
          change.type === "releaseHold"
            ? Promise.reject(new StoreError("insufficient_storage", "The disk is full."))
            : catalog.write(change),
      };
      const working = backUp({ catalog: full, blobs: outcome === "fails" ? { ...blobs, read: failBadly } : blobs });
      if (outcome === "fails") expect(await working.catch(String)).toBe("TypeError: a bug" as never);
      else expect(await working).toMatchObject({ images: 1, damaged: 0 });
    },
  );

  test("reports a read error in a large file and copies the rest", async () => {
    await storeImage("large", 3_000_000);
    await storeImage("small", 1000);
    const failing = failingBeyond(1000, blobs);
    const { damages, ...result } = await backUp({ blobs: failing });
    expect(result).toMatchObject({ images: 2, copied: 1, damaged: 1 });
    expect(damages).toMatchObject([{ image: "a/large", reason: "EIO: i/o error, read" }]);
  });

  test("that fails keeps the previous backup, leaves no partial file, and copies only the rest next time", async () => {
    await storeImage("i", 1000);
    await backUp();
    const before = await readdir(join(folder, "backup"), { recursive: true });
    await storeImage("j", 1001);
    await storeImage("k", 1002);
    const broken: BlobStore = {
      ...blobs,
      async read(location, what) {
        if (what.size === 1002) throw new TypeError("a bug");
        return blobs.read(location, what);
      },
    };
    expect(await backUp({ blobs: broken }).catch(String)).toBe("TypeError: a bug");
    const after = await readdir(join(folder, "backup"), { recursive: true });
    expect(after.filter((name) => !name.startsWith("blobs"))).toEqual(
      before.filter((name) => !name.startsWith("blobs")),
    );
    expect(await backedUp()).toEqual(["a/i"]);
    expect(await backUp()).toMatchObject({ images: 3, copied: 1 });
  });
});

const coded = (code: string) => Object.assign(new Error("raw"), { code });

test("file system errors of a folder are explained, and other errors pass unchanged", () => {
  expect(String(explainFolderError("/x", coded("ENOSPC")))).toBe("Error: /x: the disk is full (raw).");
  expect(String(explainFolderError("/x", coded("SQLITE_READONLY_DIRECTORY")))).toContain("/x: it can't be written to");
  for (const error of [new Error("plain"), coded("ECONNRESET"), "text"])
    expect(explainFolderError("/x", error)).toBe(error);
  const full = new StoreError("insufficient_storage", "The disk is full.");
  expect(String(explainFullStore("/data", full))).toBe(
    "Error: /data: The disk is full. Make room there, and run it again.",
  );
});
