import type { Preconditions, RecordVersion } from "../domain/change.ts";
import { albumNotFound, imageNotFound } from "../domain/errors.ts";
import type { Image, ImagePatch, StoredContent, StoredImage } from "../domain/image.ts";
import type { Page } from "../domain/page.ts";
import type { Catalog, ImageQuery } from "../ports.ts";

export interface ImagePorts {
  readonly catalog: Catalog;
}

/** With `albumId` those of an album, else those of all. */
export const listImages = ({ catalog }: ImagePorts, query: ImageQuery): Promise<Page<Image>> => catalog.images(query);

/** @throws StoreError `album_not_found`, `image_not_found` */
export async function getImage({ catalog }: ImagePorts, album: string, name: string): Promise<StoredImage> {
  const stored = await catalog.image(album, name);
  if (stored !== undefined) return stored;
  throw (await catalog.album(album)) === undefined ? albumNotFound() : imageNotFound();
}

/** @throws StoreError `image_not_found` */
export async function getImageById({ catalog }: ImagePorts, id: string): Promise<StoredImage> {
  const stored = await catalog.imageById(id);
  if (stored === undefined) throw imageNotFound();
  return stored;
}

/** @throws StoreError `album_not_found`, `image_not_found` */
export async function getContent({ catalog }: ImagePorts, album: string, name: string): Promise<StoredContent> {
  const stored = await catalog.content(album, name);
  if (stored !== undefined) return stored;
  throw (await catalog.album(album)) === undefined ? albumNotFound() : imageNotFound();
}

/** @throws StoreError `image_not_found`, also when it has other bytes than `sha256` */
export async function getContentVersion({ catalog }: ImagePorts, id: string, sha256: string): Promise<StoredContent> {
  const stored = await catalog.contentById(id);
  if (stored?.image.sha256 !== sha256) throw imageNotFound();
  return stored;
}

/** Which image a write is about, what must hold for it, and W3C trace context. */
export interface ImageTarget {
  readonly album: string;
  readonly name: string;
  readonly preconditions?: Preconditions<RecordVersion> | undefined;
  readonly traceparent?: string | undefined;
}

/** @throws StoreError `album_not_found`, `image_not_found`, `image_exists`, `precondition_failed`, `invalid_request` */
export async function updateImage(ports: ImagePorts, target: ImageTarget, patch: ImagePatch): Promise<Image> {
  return ports.catalog.write({ type: "updateImage", patch, ...(await resolve(ports, target)) });
}

/** @throws StoreError `album_not_found`, `image_not_found`, `precondition_failed` */
export async function deleteImage(ports: ImagePorts, target: ImageTarget): Promise<void> {
  await ports.catalog.write({ type: "deleteImage", ...(await resolve(ports, target)) });
}

/** The name of the album is looked up once; the change carries its id. */
async function resolve({ catalog }: ImagePorts, { album, name, preconditions, traceparent }: ImageTarget) {
  const found = await catalog.album(album);
  if (found === undefined) throw albumNotFound();
  return {
    albumId: found.id,
    name,
    ...(preconditions === undefined ? {} : { preconditions }),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}
