import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startStore } from "../../http/harness.ts";
import { imagePath, newAlbum, newImage, newPng, sha256 } from "../../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { runCli } from "../run-cli.ts";

let folder: string;
const data = () => join(folder, "data");
const backup = () => join(folder, "backup");
const blobsFolder = () => join(data(), "blobs");
const repair = (from = backup()) => runCli(["check", "--repair", "--from", from], data());

/** Small and large, of which the backup has all but the last. */
let images: { readonly path: string; readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> }[];
let kept: typeof images;

beforeEach(async () => {
  folder = await newFolder("from");
  images = [];
  const add = async (store: Awaited<ReturnType<typeof startStore>>, album: string, name: string, size: number) => {
    const bytes = newPng(size);
    await newImage(store, album, name, bytes);
    images.push({ path: imagePath(album, name), name, bytes });
  };
  let album: string;
  {
    await using store = await startStore({ DATA: data() });
    album = await newAlbum(store);
    for (let index = 0; index < 4; index++) await add(store, album, `small${index}`, 300 + index);
    await add(store, album, "large", 1_500_000);
  }
  expect((await runCli(["backup", backup()], data())).code).toBe(0);
  kept = [...images];
  {
    await using store = await startStore({ DATA: data() });
    await add(store, album, "later", 1_600_000);
  }
});
afterEach(() => removeFolder(folder));

async function statuses(of: typeof images): Promise<unknown[]> {
  await using store = await startStore({ DATA: data() });
  return await Promise.all(
    of.map(async ({ path, bytes }) => {
      const response = await store.fetch(`${path}/content`);
      const body = await response.bytes();
      return response.status === 200 && sha256(body) === sha256(bytes) ? "sound" : response.status;
    }),
  );
}

const filesOfBackup = async () => {
  const names = await readdir(backup(), { recursive: true });
  return names.filter((name) => !name.startsWith("lock.")).toSorted();
};

const allSound = () => kept.map(() => "sound");

describe("check --repair --from", () => {
  test("restores damaged blobs and leaves the backup unchanged", async () => {
    const [segment = ""] = await readdir(join(blobsFolder(), "segments"));
    await writeFile(join(blobsFolder(), "segments", segment), Buffer.alloc(100_000, 1));
    const before = await filesOfBackup();
    const alone = await runCli(["check", "--repair"], data());
    expect([alone.code, alone.out]).toEqual([1, expect.stringContaining("Healed: 0, not healed: 4.")]);
    const { code, out } = await repair();
    expect([code, out]).toEqual([0, expect.stringContaining("Healed: 4, not healed: 0.")]);
    expect((await runCli(["check"], data())).code).toBe(0);
    expect(await statuses(images)).toEqual(images.map(() => "sound"));
    expect(await filesOfBackup()).toEqual(before);
    expect((await repair()).out).toContain("Healed: 0, not healed: 0.");
  });

  test("restores a lost blobs folder and names the blobs that the backup lacks", async () => {
    await rm(blobsFolder(), { recursive: true });
    const { code, out } = await repair();
    expect([code, out]).toEqual([1, expect.stringContaining("Healed: 5, not healed: 1.")]);
    expect(out).toMatch(/^not healed: ".*\/later".* its bytes are nowhere else, and not intact in the backup$/m);
    expect(await statuses(kept)).toEqual(allSound());
    expect(await statuses(images.slice(-1))).toEqual([503]);
    expect(existsSync(join(blobsFolder(), "store-id"))).toBe(true);
  });

  test("takes no damaged bytes from the backup", async () => {
    const { bytes } = kept[0] as (typeof kept)[number];
    const digest = sha256(bytes);
    await rm(blobsFolder(), { recursive: true });
    await writeFile(join(backup(), "blobs", digest.slice(0, 2), digest), bytes.slice(0, -1));
    const { code, out } = await repair();
    expect([code, out]).toEqual([1, expect.stringContaining("Healed: 4, not healed: 2.")]);
    expect(await statuses(kept)).toEqual(allSound().with(0, 503 as never));
  });

  test("requires --repair and a backup that does not overlap the store", async () => {
    const nothing = await repair(join(folder, "none"));
    expect([nothing.code, nothing.err]).toEqual([1, expect.stringContaining("There is no backup")]);
    expect(existsSync(join(folder, "none"))).toBe(false);
    expect((await repair(join(data(), "variants"))).err).toContain("overlap. Choose a folder outside the store");
    expect((await runCli(["check", "--from", backup()], data())).code).toBe(2);
  });
});
