import type { NewBlob } from "../../../domain/blob.ts";
import type { ImageToPut } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import type { BlobStore, Catalog, StagedBlob } from "../../../ports.ts";
import { lostConnection } from "../receive-file.ts";
import { toTargetImage } from "./fields.ts";
import type { ImageToStore, MirrorTarget, ReceivedBytes, TargetImage } from "./target.ts";
import { requireDigest } from "./target-store.ts";

export interface Staged extends ReceivedBytes {
  readonly blob: StagedBlob;
}

/** Stores the bytes of images in a data folder for a mirror. */
export function createBlobWrites(
  catalog: Catalog,
  blobs: BlobStore,
): Pick<MirrorTarget<Staged>, "receive" | "store" | "digestOf"> {
  const commitBlob = async ({ blob }: Staged): Promise<NewBlob> => {
    const { key, size, sha256, crc32 } = blob;
    return { key, location: await blobs.commit(blob), size, sha256, crc32 };
  };

  /** Images of one album. Their bytes become durable together. */
  async function put(images: readonly ImageToStore<Staged>[], albumId: string): Promise<readonly TargetImage[]> {
    const keys = images.map(({ bytes }) => bytes.blob.key);
    try {
      const committed = await Promise.all(images.map(({ bytes }) => commitBlob(bytes)));
      const puts = images.map(({ image, present }, index): ImageToPut => {
        const { id, title, description, metadata, tags, focalPoint } = image;
        const { contentType, width, height, frames, hasAlpha, orientation } = image;
        const info = { contentType, width, height, frames, hasAlpha, orientation } as ImageToPut["info"];
        const fields = { title, description, metadata, tags, focalPoint };
        const name = present?.name ?? image.name;
        return { id, name, info, blob: committed[index] as NewBlob, ...(present === undefined ? { fields } : {}) };
      });
      const mode = images.every(({ present }) => present !== undefined) ? "put" : "create";
      const { value } = await catalog.write({ type: "putImages", albumId, mode, images: puts });
      return value.map(({ image }) => toTargetImage(image));
    } finally {
      blobs.release(keys);
    }
  }

  return {
    async receive(image, open) {
      const { body } = await open();
      if (body === null) throw lostConnection();
      const blob = await blobs.stage(piecesOf(body), { maxBytes: image.size, size: image.size });
      const discard = () => blobs.discard(blob);
      try {
        requireDigest(image, blob.sha256, blob.size);
      } catch (error) {
        await discard();
        throw error;
      }
      return { blob, discard };
    },
    async store(images) {
      const stored: TargetImage[] = [];
      for (let first = 0; first < images.length; ) {
        const of = images[first] as ImageToStore<Staged>;
        let end = first + 1;
        while (isLike(of, images[end])) end += 1;
        stored.push(...(await put(images.slice(first, end), of.album.id)));
        first = end;
      }
      return stored;
    },
    async digestOf({ id }) {
      const found = await catalog.imageById(id, "all");
      if (found === undefined) return undefined;
      try {
        const content = await blobs.read(found.location, { size: found.image.size });
        return new Bun.CryptoHasher("sha256").update(await new Response(content).arrayBuffer()).digest("hex");
      } catch (error) {
        if (error instanceof StoreError && error.code === "blob_damaged") return undefined;
        throw error;
      }
    },
  };
}

/** A store that restarts breaks the connection in the middle. */
async function* piecesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  try {
    yield* body;
  } catch (cause) {
    throw lostConnection(cause);
  }
}

/** Whether both fit into one change. */
const isLike = (one: ImageToStore<Staged>, other: ImageToStore<Staged> | undefined): boolean =>
  other !== undefined &&
  one.album.id === other.album.id &&
  (one.present === undefined) === (other.present === undefined);
