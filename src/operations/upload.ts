import { requireTextBounds } from "../domain/album.ts";
import type { NewBlob } from "../domain/blob.ts";
import type { Idempotency, Preconditions, PutImage, PutImages, Replayable } from "../domain/change.ts";
import { albumNotFound, StoreError } from "../domain/errors.ts";
import { type ContentType, EMPTY_IMAGE_FIELDS, type ImageFields, type ImageInfo } from "../domain/image.ts";
import type { BlobStore, Catalog, Prober, StagedBlob } from "../ports.ts";
import type { RunningKeys } from "./idempotency.ts";
import type { UploadSlots } from "./upload-slots.ts";

export interface UploadPorts {
  readonly catalog: Pick<Catalog, "album" | "hasAnswered" | "image" | "write">;
  readonly blobs: Pick<BlobStore, "stage" | "commit" | "discard" | "settle" | "remove">;
  readonly prober: Pick<Prober, "probe">;
  readonly runningKeys: RunningKeys;
  readonly uploadSlots: UploadSlots;
  readonly limits: { readonly maxUpload: number; readonly maxFiles: number };
}

/** An image on its way in. Its bytes are read once, before the next image is asked for. */
export interface IncomingImage {
  readonly name: string;
  readonly fields?: ImageFields;
  /** What the sender says that it is; undefined when it says nothing. */
  readonly declaredType: ContentType | undefined;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** An image whose bytes are here, and are what they should be. */
export interface ReceivedImage {
  readonly name: string;
  readonly fields?: ImageFields;
  readonly blob: StagedBlob;
  readonly info: ImageInfo;
}

export interface Upload {
  readonly album: string;
  readonly mode: PutImages["mode"];
  readonly images: AsyncIterable<IncomingImage> | Iterable<IncomingImage>;
  readonly preconditions?: Preconditions<string> | undefined;
  /** Asked before anything came, and again for the fingerprint of what did come. */
  readonly idempotency?: (received: readonly ReceivedImage[]) => Idempotency | undefined;
  readonly traceparent?: string | undefined;
}

/**
 * Stores images, all or none, durable when it resolves. Bytes that were committed are not deleted here when the change
 * fails: what seems to have failed may have been done, so they are left to the sweeper. Only `upload_expired` is definite.
 * @throws StoreError `album_not_found`, before a byte is read; `busy`; `request_in_progress`; `unsupported_image` when a
 * declared type disagrees; `invalid_request` for a name that comes twice; `too_large`; `empty_body`; what the images
 * throw; those of {@link BlobStore.stage}, {@link Prober.probe} and {@link PutImages}
 */
export function uploadImages(ports: UploadPorts, upload: Upload): Promise<Replayable<readonly PutImage[]>> {
  return ports.uploadSlots.run(() => ports.runningKeys.run(upload.idempotency?.([]), () => store(ports, upload)));
}

async function store(ports: UploadPorts, upload: Upload): Promise<Replayable<readonly PutImage[]>> {
  const { catalog, blobs } = ports;
  // Once, and first: what was begun on this album must not land in another that takes its name meanwhile.
  const albumId = await findAlbumId(catalog, upload);
  const received = await receive(ports, upload);
  try {
    const idempotency = upload.idempotency?.(received);
    const reserved = await reserve(ports, received);
    const locations = await commitAll(blobs, received);
    const change: PutImages = {
      type: "putImages",
      albumId,
      mode: upload.mode,
      images: received.map(({ name, fields, blob, info }, index) => ({
        id: Bun.randomUUIDv7(),
        name,
        ...(fields === undefined ? {} : { fields }),
        info,
        blob: { ...newBlob(blob, locations[index] ?? ""), ...(reserved && { reserved }) },
      })),
      ...(upload.preconditions === undefined ? {} : { preconditions: upload.preconditions }),
      ...(idempotency === undefined ? {} : { idempotency }),
      ...(upload.traceparent === undefined ? {} : { traceparent: upload.traceparent }),
    };
    return await catalog.write(change).catch(async (error: unknown) => {
      // Nobody's for good, as after no other failure: they may have come after the sweeper looked for them.
      if (error instanceof StoreError && error.code === "upload_expired") await removeAll(blobs, locations);
      throw error;
    });
  } finally {
    blobs.settle(received.map(({ blob }) => blob.key));
  }
}

/**
 * Where the store is shared, rows for the bytes go in before any are sent: whatever becomes of this process, they are swept
 * by them. Answers whether there are such rows.
 */
async function reserve({ catalog, blobs }: UploadPorts, received: readonly ReceivedImage[]): Promise<boolean> {
  const reserved = received.flatMap(({ blob }) => (blob.location === undefined ? [] : [newBlob(blob, blob.location)]));
  if (reserved.length === 0) return false;
  try {
    await catalog.write({ type: "reserveBlobs", blobs: reserved });
  } catch (error) {
    await discardAll(blobs, received);
    throw error;
  }
  return true;
}

const newBlob = ({ key, size, sha256 }: StagedBlob, location: string): NewBlob => ({ key, location, size, sha256 });

/** Null under a key that has its answer: that is given again, whatever has become of the album since. */
async function findAlbumId(catalog: UploadPorts["catalog"], upload: Upload): Promise<string | null> {
  const album = await catalog.album(upload.album);
  if (album !== undefined) return album.id;
  const key = upload.idempotency?.([]);
  if (key === undefined || !(await catalog.hasAnswered(key))) throw albumNotFound();
  return null;
}

/** Stages and probes each as it comes: one is probed while the next is on its way. After a failure nothing is left. */
async function receive(ports: UploadPorts, upload: Upload): Promise<readonly ReceivedImage[]> {
  const { blobs, limits, prober } = ports;
  const staged: { readonly blob: StagedBlob }[] = [];
  const received: ReceivedImage[] = [];
  const names = new Set<string>();
  let probing: Promise<unknown> = Promise.resolve();
  try {
    for await (const image of upload.images) {
      if (names.size === limits.maxFiles) {
        throw new StoreError("too_large", `At most ${limits.maxFiles} images can be uploaded at once.`);
      }
      if (names.has(image.name)) {
        throw new StoreError("invalid_request", "Two images of one request have the same name.", {
          errors: [{ detail: `the name ${JSON.stringify(image.name)} comes twice` }],
        });
      }
      names.add(image.name);
      requireTextBounds({ ...(image.fields ?? EMPTY_IMAGE_FIELDS), name: image.name });
      await refuseEarly(ports.catalog, upload, image.name);
      const blob = await blobs.stage(image.bytes, { maxBytes: limits.maxUpload });
      staged.push({ blob });
      if (blob.size === 0) throw new StoreError("empty_body", "An image has no bytes.");
      await probing;
      probing = probe(prober, image, blob).then((result) => received.push(result));
      // It is awaited later, and must not count as unhandled until then.
      probing.catch(() => undefined);
    }
    await probing;
    return received;
  } catch (error) {
    // A file is not taken from under a child that reads it.
    await probing.catch(() => undefined);
    await discardAll(blobs, staged);
    throw error;
  }
}

/**
 * Says before the bytes come what the change would say after them, to spare both sides the transfer. Only a hint: what
 * counts is evaluated with the change. Under an idempotency key the answer may be the first one again.
 */
async function refuseEarly(catalog: UploadPorts["catalog"], upload: Upload, name: string): Promise<void> {
  const { ifMatch, ifNoneMatch } = upload.preconditions ?? {};
  const creates = upload.mode === "create" && upload.idempotency?.([]) === undefined;
  if (!creates && ifMatch === undefined && ifNoneMatch === undefined) return;
  const present = (await catalog.image(upload.album, name))?.image.sha256;
  if (creates && present !== undefined) {
    throw new StoreError("image_exists", "There is an image of that name in the album.");
  }
  const names = (tags: "*" | readonly string[]) => present !== undefined && (tags === "*" || tags.includes(present));
  if ((ifMatch !== undefined && !names(ifMatch)) || (ifNoneMatch !== undefined && names(ifNoneMatch))) {
    throw new StoreError("precondition_failed", "The image is not in the state that the request asks for.");
  }
}

async function probe(prober: UploadPorts["prober"], image: IncomingImage, blob: StagedBlob): Promise<ReceivedImage> {
  const info = await prober.probe(blob.source);
  if (image.declaredType !== undefined && image.declaredType !== info.contentType) {
    throw new StoreError(
      "unsupported_image",
      `The image is declared as ${image.declaredType}, but its bytes are ${info.contentType}.`,
    );
  }
  return { name: image.name, ...(image.fields === undefined ? {} : { fields: image.fields }), blob, info };
}

/** How many files of one request may be waiting for the disk. */
const COMMITS_AT_ONCE = 32;

/** Answers their locations in the same order. */
async function commitAll(blobs: UploadPorts["blobs"], received: readonly ReceivedImage[]): Promise<readonly string[]> {
  const locations: string[] = [];
  try {
    for (let at = 0; at < received.length; at += COMMITS_AT_ONCE) {
      const batch = received.slice(at, at + COMMITS_AT_ONCE);
      // All are waited for: what is still being committed cannot be discarded.
      for (const outcome of await Promise.allSettled(batch.map(({ blob }) => blobs.commit(blob)))) {
        if (outcome.status === "rejected") throw outcome.reason;
        locations.push(outcome.value);
      }
    }
    return locations;
  } catch (error) {
    await discardAll(blobs, received);
    throw error;
  }
}

const discardAll = (blobs: UploadPorts["blobs"], received: readonly { readonly blob: StagedBlob }[]) =>
  Promise.all(received.map(({ blob }) => blobs.discard(blob)));

/** Best effort: the sweeper looks for them again. */
const removeAll = (blobs: UploadPorts["blobs"], locations: readonly string[]) =>
  Promise.allSettled(locations.map((location) => blobs.remove(location)));
