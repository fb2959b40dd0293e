import { expect } from "bun:test";
import { type Album, EMPTY_ALBUM_FIELDS } from "../src/domain/album.ts";
import { type BatchOperation, type RunBatch, stateCaller } from "../src/domain/batch.ts";
import type { NewBlob } from "../src/domain/blob.ts";
import { LOCAL } from "../src/domain/caller.ts";
import type { CreateAlbum, DescribeImage, ImageToPut, PutImage, PutImages } from "../src/domain/change.ts";
import type { EventData, LogState, StoredEvent } from "../src/domain/event.ts";
import type { DescribedFields, Exif, Image, ImageInfo } from "../src/domain/image.ts";
import type { Page, PageStart } from "../src/domain/page.ts";
import type { Catalog } from "../src/ports.ts";

export interface OpenedCatalog extends Catalog {
  /** Resolves when the log has all that was written, where that may be a moment after the change. */
  readonly logged?: () => Promise<void>;
}

/** Gives a fresh, empty catalog. */
export type OpenCatalog = () => Promise<OpenedCatalog>;

export const digest = (text: string): string => new Bun.CryptoHasher("sha256").update(text).digest("hex");

export const JPEG: ImageInfo = {
  contentType: "image/jpeg",
  width: 40,
  height: 30,
  frames: 1,
  hasAlpha: false,
  orientation: 1,
};

export const UNDESCRIBED: DescribedFields = {
  described: false,
  placeholder: null,
  dominantColour: null,
  exif: null,
  decodable: null,
  decodeError: null,
};

export const albumNamed = (name: string, more: Partial<CreateAlbum> = {}): CreateAlbum => ({
  type: "createAlbum",
  id: Bun.randomUUIDv7(),
  name,
  fields: EMPTY_ALBUM_FIELDS,
  ...more,
});

export async function createAlbum(catalog: Catalog, name: string, more: Partial<CreateAlbum> = {}): Promise<Album> {
  return (await catalog.write(albumNamed(name, more))).value;
}

export const createKey = (catalog: Catalog, id: string) =>
  catalog.write({ type: "createKey", id, sha256: digest(id), name: id, grants: [], expiresAt: null });

export function blobOf(content: string): NewBlob {
  const sha256 = digest(content);
  const key = `${sha256}.${crypto.randomUUID()}`;
  return { key, location: `files/${key}`, size: content.length, sha256 };
}

export const imageNamed = (name: string, more: Partial<ImageToPut> = {}): ImageToPut => ({
  id: Bun.randomUUIDv7(),
  name,
  info: JPEG,
  blob: blobOf(name),
  ...more,
});

export async function put(
  catalog: Catalog,
  album: Album,
  images: readonly ImageToPut[],
  more: Partial<PutImages> = {},
): Promise<readonly PutImage[]> {
  const change: PutImages = { type: "putImages", albumId: album.id, mode: "create", images, ...more };
  return (await catalog.write(change)).value;
}

export async function createImage(catalog: Catalog, album: Album, name: string, more: Partial<ImageToPut> = {}) {
  const [created] = await put(catalog, album, [imageNamed(name, more)]);
  return (created as PutImage).image;
}

export const replaceWith = (catalog: Catalog, album: Album, image: ImageToPut, more: Partial<PutImages> = {}) =>
  put(catalog, album, [image], { mode: "put", ...more }).then(([result]) => result as PutImage);

export const describing = (imageId: string, blobKey: string, exif: Exif | null = null): DescribeImage => ({
  type: "describeImage",
  imageId,
  blobKey,
  description: { placeholder: "AAAA", dominantColour: "#336699", exif, decodable: true, decodeError: null },
});

export const describeImage = (catalog: Catalog, imageId: string, blobKey: string, exif: Exif | null = null) =>
  catalog.write(describing(imageId, blobKey, exif));

/** By a caller who may do everything. */
export const batchOf = (operations: readonly BatchOperation[], more: Partial<RunBatch> = {}): RunBatch => ({
  type: "runBatch",
  caller: stateCaller(LOCAL),
  atomic: true,
  operations,
  maxMs: 60_000,
  ...more,
});

/** Every page of a listing, in order. */
export async function pagesOf<Item>(
  list: (start: { start?: PageStart }) => Promise<Page<Item>>,
  between: (page: Page<Item>) => Promise<void> = async () => undefined,
): Promise<Page<Item>[]> {
  const pages: Page<Item>[] = [];
  let start: { start?: PageStart } = {};
  for (;;) {
    const page = await list(start);
    pages.push(page);
    if (page.next === undefined) return pages;
    await between(page);
    start = { start: page.next };
  }
}

/** The log with all that was written. */
export async function loggedState(catalog: OpenedCatalog): Promise<LogState> {
  await catalog.logged?.();
  return catalog.log();
}

/** What was appended after a number of the log: exactly `count` events. */
export async function eventsAfter(catalog: OpenedCatalog, seq: number, count: number): Promise<readonly StoredEvent[]> {
  const { epoch } = await loggedState(catalog);
  const { events } = await catalog.events({ visibility: "all", after: { epoch, seq }, limit: 100_000 });
  expect(events).toHaveLength(count);
  return events;
}

export const dataOf = (event: StoredEvent | undefined): EventData =>
  JSON.parse((event as StoredEvent).data) as EventData;

export const namesOf = (items: readonly (Album | Image)[]): readonly string[] => items.map((item) => item.name);

export const blobStates = async (catalog: Catalog): Promise<Record<string, string>> =>
  Object.fromEntries((await catalog.blobs({ limit: 10_000 })).map(({ key, state }) => [key, state]));
