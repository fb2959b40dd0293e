import { expect } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Image } from "../../src/domain/image.ts";
import { randomImage } from "../faults/random-image.ts";
import { jsonOf, type TestStore } from "./harness.ts";
import { BLOBS } from "./places.ts";

/** A valid PNG of 4 × 3 pixels unlike any other, with at least so many bytes. */
export const newPng = (bytes = 16): Buffer<ArrayBuffer> => randomImage(bytes).bytes;

/** A valid GIF of 1 × 1 pixel. */
export const GIF = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64");

export const sha256 = (bytes: Uint8Array): string => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

let made = 0;

/** An album with nothing in it: its path. */
export async function newAlbum(store: TestStore, name = `album ${++made}`): Promise<string> {
  const response = await store.send("POST", "/v1/albums", { name });
  expect(response.status).toBe(201);
  return `/v1/albums/${encodeURIComponent(name)}`;
}

export const imagePath = (album: string, name: string): string => `${album}/images/${encodeURIComponent(name)}`;

export const putContent = (
  store: TestStore,
  album: string,
  name: string,
  body: NonNullable<RequestInit["body"]>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> => store.fetch(`${imagePath(album, name)}/content`, { method: "PUT", body, headers });

export const postImage = (
  store: TestStore,
  album: string,
  name: string,
  body: NonNullable<RequestInit["body"]>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> =>
  store.fetch(`${album}/images?name=${encodeURIComponent(name)}`, { method: "POST", body, headers });

/** A new image, by its record. */
export async function newImage(
  store: TestStore,
  album: string,
  name: string,
  bytes: Uint8Array<ArrayBuffer> = newPng(),
): Promise<Image> {
  const response = await putContent(store, album, name, bytes);
  expect(response.status).toBe(201);
  return jsonOf<Image>(response);
}

export const postForm = (
  store: TestStore,
  album: string,
  form: FormData,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> => store.fetch(`${album}/images`, { method: "POST", body: form, headers });

/** A form with a file for each entry, under its name. */
export function formOf(files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>): FormData {
  const form = new FormData();
  for (const [name, bytes] of Object.entries(files)) form.append("file", new File([bytes], name));
  return form;
}

export const codeOf = async (response: Response): Promise<string> =>
  (await jsonOf<{ readonly code: string }>(response)).code;

/** What lies in the blob store, temporary folders included: keys, and names of files. */
export async function storedBlobs(store: TestStore): Promise<string[]> {
  await using blobs = await store.openBlobs();
  const keys = (await Array.fromAsync(blobs.list())).map(({ key }) => key);
  const temporary = join(store.dataFolder, BLOBS === "files" ? "blobs/tmp" : "tmp");
  return [...keys, ...(await readdir(temporary))].toSorted();
}

export async function imageNames(store: TestStore, album: string): Promise<string[]> {
  const page = await jsonOf<{ readonly items: readonly Image[] }>(await store.fetch(`${album}/images?pageSize=1000`));
  return page.items.map((image) => image.name);
}
