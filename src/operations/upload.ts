import type { Idempotency, Preconditions, PutImage, PutImages, Replayable } from "../domain/change.ts";
import { StoreError } from "../domain/errors.ts";
import type { ContentType, ImageFields, ImageInfo } from "../domain/image.ts";
import type { BlobStore, Catalog, Renderer, StagedBlob } from "../ports.ts";

export interface UploadNeeds {
  readonly catalog: Pick<Catalog, "write">;
  readonly blobs: BlobStore;
  readonly renderer: Renderer;
  readonly limits: { readonly maxUpload: number; readonly maxFiles: number };
}

/** An image on its way in. The bytes are read once, before the next image is asked for. */
export interface IncomingImage {
  readonly name: string;
  readonly fields?: ImageFields;
  /** What the sender says that it is; undefined when it says nothing. */
  readonly declaredType: ContentType | undefined;
  readonly bytes: AsyncIterable<Uint8Array>;
}

export interface Upload {
  /** Resolved before the first byte is read, so that nothing lands in another album that takes the name meanwhile. */
  readonly albumId: string;
  readonly mode: PutImages["mode"];
  readonly images: AsyncIterable<IncomingImage> | Iterable<IncomingImage>;
  readonly preconditions?: Preconditions<string>;
  /** Given what came, since the content is part of what makes two requests the same. */
  readonly idempotency?: (received: readonly ReceivedImage[]) => Idempotency;
  readonly traceparent?: string | undefined;
}

export interface ReceivedImage {
  readonly name: string;
  readonly fields?: ImageFields;
  readonly blob: StagedBlob;
  readonly info: ImageInfo;
}

/**
 * Stores images, all or none, durable when it resolves. Whatever fails, bytes that were committed are left to the sweeper:
 * a write that seems to have failed may have been done.
 * @throws StoreError of {@link BlobStore.stage}, {@link Renderer.probe} and {@link PutImages}; `unsupported_image` when a
 * declared type disagrees, `invalid_request` for a name that comes twice, `too_large` for too many images
 */
export async function uploadImages(needs: UploadNeeds, upload: Upload): Promise<Replayable<readonly PutImage[]>> {
  const { catalog, blobs } = needs;
  const received = await receive(needs, upload.images);
  try {
    const idempotency = upload.idempotency?.(received);
    const locations = await commitAll(blobs, received);
    return await catalog.write({
      type: "putImages",
      albumId: upload.albumId,
      mode: upload.mode,
      images: received.map(({ name, fields, blob, info }, index) => ({
        id: Bun.randomUUIDv7(),
        name,
        ...(fields === undefined ? {} : { fields }),
        info,
        blob: { key: blob.key, location: locations[index] ?? "", size: blob.size, sha256: blob.sha256 },
      })),
      ...(upload.preconditions === undefined ? {} : { preconditions: upload.preconditions }),
      ...(idempotency === undefined ? {} : { idempotency }),
      ...(upload.traceparent === undefined ? {} : { traceparent: upload.traceparent }),
    });
  } finally {
    blobs.settle(received.map(({ blob }) => blob.key));
  }
}

/** Stages and probes each as it comes: one is probed while the next is on its way. After a failure nothing is left. */
async function receive(needs: UploadNeeds, images: Upload["images"]): Promise<readonly ReceivedImage[]> {
  const staged: StagedBlob[] = [];
  const received: ReceivedImage[] = [];
  const names = new Set<string>();
  let probing: Promise<unknown> = Promise.resolve();
  try {
    for await (const image of images) {
      if (names.size === needs.limits.maxFiles) {
        throw new StoreError("too_large", `At most ${needs.limits.maxFiles} images can be uploaded at once.`);
      }
      if (names.has(image.name)) {
        throw new StoreError("invalid_request", "Two images of one request have the same name.", {
          errors: [{ detail: `the name ${JSON.stringify(image.name)} comes twice` }],
        });
      }
      names.add(image.name);
      const blob = await needs.blobs.stage(image.bytes, { maxBytes: needs.limits.maxUpload });
      staged.push(blob);
      if (blob.size === 0) throw new StoreError("empty_body", "An image has no bytes.");
      await probing;
      probing = probe(needs.renderer, image, blob).then((result) => received.push(result));
      // Awaited a turn later; it must not count as unhandled until then.
      probing.catch(() => undefined);
    }
    await probing;
    return received;
  } catch (error) {
    // A file is not taken from under a child that reads it.
    await probing.catch(() => undefined);
    await discardAll(needs.blobs, staged);
    throw error;
  }
}

async function probe(renderer: Renderer, image: IncomingImage, blob: StagedBlob): Promise<ReceivedImage> {
  const info = await renderer.probe({ path: blob.path, size: blob.size });
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

/** @returns locations in the order of the images */
async function commitAll(blobs: BlobStore, received: readonly ReceivedImage[]): Promise<readonly string[]> {
  const locations: string[] = [];
  try {
    for (let at = 0; at < received.length; at += COMMITS_AT_ONCE) {
      // Every one is waited for: what is still being committed cannot be discarded.
      const outcomes = await Promise.allSettled(
        received.slice(at, at + COMMITS_AT_ONCE).map(({ blob }) => blobs.commit(blob)),
      );
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") throw outcome.reason;
        locations.push(outcome.value);
      }
    }
    return locations;
  } catch (error) {
    await discardAll(
      blobs,
      received.map(({ blob }) => blob),
    );
    throw error;
  }
}

const discardAll = (blobs: BlobStore, staged: readonly StagedBlob[]) =>
  Promise.all(staged.map((blob) => blobs.discard(blob)));
