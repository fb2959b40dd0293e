import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatOwner, OWNER_NAME } from "../src/adapters/blobs/owner-file.ts";
import { EMPTY_ALBUM_FIELDS } from "../src/domain/album.ts";
import type { ImageToPut } from "../src/domain/change.ts";
import { openCatalog } from "./catalog.ts";

/** Images of a change. Each change is a commit, and waits for the disk. */
const AT_ONCE = 2000;
const SCHEMA = join(import.meta.dir, "..", "src", "adapters", "catalog", "migrations");

export interface Seed {
  /** In all albums together. */
  readonly images: number;
  readonly albums?: number;
}

/**
 * A data folder whose catalog has the albums `bench`, `bench-1`, … with so many images, named `0`, `1`, … in the order in
 * which the albums have them, each with its blob's row and its event, but no bytes: the blobs folder holds the store's id alone. It is made once for each schema and
 * then kept: a benchmark that changes it must restore it.
 */
export async function seededFolder(cache: string, wanted: Seed, say: (text: string) => void): Promise<string> {
  const { images, albums = 1 } = wanted;
  const folder = join(cache, `seeded-${images}-${albums}-${await schemaFingerprint()}`);
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  say(`seeding ${images.toLocaleString("en")} images, once`);
  await seed(unfinished, { images, albums });
  await rename(unfinished, folder);
  return folder;
}

async function seed(dataFolder: string, { images, albums }: Required<Seed>): Promise<void> {
  await using catalog = await openCatalog(dataFolder);
  const albumIds = Array.from({ length: albums }, () => Bun.randomUUIDv7());
  for (const [index, id] of albumIds.entries()) {
    const name = index === 0 ? "bench" : `bench-${index}`;
    await catalog.write({ type: "createAlbum", id, name, fields: EMPTY_ALBUM_FIELDS });
  }
  const atOnce = Math.min(AT_ONCE, Math.ceil(images / albums));
  for (let first = 0, turn = 0; first < images; first += atOnce, turn++) {
    const names = Array.from({ length: Math.min(atOnce, images - first) }, (_, index) => String(first + index));
    const albumId = albumIds[turn % albums] as string;
    await catalog.write({ type: "putImages", albumId, mode: "create", images: names.map(imageNamed) });
  }
  await mkdir(join(dataFolder, "blobs"), { recursive: true });
  await writeFile(join(dataFolder, "blobs", OWNER_NAME), formatOwner(catalog.storeId));
}

function imageNamed(name: string): ImageToPut {
  const sha256 = new Bun.CryptoHasher("sha256").update(name).digest("hex");
  const key = `${sha256}.${name.padStart(16, "0")}`;
  return {
    id: Bun.randomUUIDv7(),
    name,
    info: { contentType: "image/jpeg", width: 4000, height: 3000, frames: 1, hasAlpha: false, orientation: 1 },
    blob: { key, location: key, size: 102_400, sha256 },
  };
}

export async function schemaFingerprint(): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  const files = await Array.fromAsync(new Bun.Glob("**/*").scan({ cwd: SCHEMA, absolute: true }));
  for (const file of files.toSorted()) hasher.update(await Bun.file(file).bytes());
  return hasher.digest("hex").slice(0, 8);
}
