import { crc32 } from "node:zlib";
import { StoreError } from "../domain/errors.ts";
import type { BlobContent, BlobStore, ByteRange, ImageFile } from "../ports.ts";
import type { RequestCatalog } from "./request-catalog.ts";

export interface ZipSourceDeps {
  readonly catalog: Pick<RequestCatalog, "contentById" | "write">;
  readonly blobs: Pick<BlobStore, "read">;
}

/** The bytes of images, and their checksums. Disposing of it records what it computed. */
export interface ZipSources extends AsyncDisposable {
  /** @throws StoreError `blob_damaged`, `unavailable` */
  read(image: ImageFile, range?: ByteRange): Promise<BlobContent>;
  /**
   * All bytes of a small image. They have the checksum.
   * @throws StoreError as `read`
   */
  readWhole(image: ImageFile): Promise<Uint8Array>;
  /** Reads the bytes unless the catalog, or `readWhole`, knows it. @throws StoreError as `read` */
  checksum(image: ImageFile): Promise<number>;
  /** Records checksums that it computed, so that later reads of the catalog have them. If that fails, they do not. */
  record(): Promise<void>;
}

/** Checksums of one change. */
const RECORDED_AT_ONCE = 200;

export function createZipSources({ catalog, blobs }: ZipSourceDeps): ZipSources {
  const computed = new WeakMap<ImageFile, number>();
  let unrecorded = new Map<string, number>();

  async function read(image: ImageFile, range?: ByteRange): Promise<BlobContent> {
    const what = { size: image.size, ...(range && { range }) };
    try {
      return await blobs.read(image.location, what);
    } catch (error) {
      // The store may have moved the bytes since the page was read.
      const now = await catalog.contentById(image.id, "all");
      if (now === undefined || now.image.sha256 !== image.sha256 || now.location === image.location) throw error;
      return blobs.read(now.location, what);
    }
  }

  async function record(): Promise<void> {
    if (unrecorded.size === 0) return;
    const checksums = [...unrecorded].map(([key, checksum]) => ({ key, crc32: checksum }));
    unrecorded = new Map();
    await catalog.write({ type: "recordChecksums", blobs: checksums }).catch(() => undefined);
  }

  async function remember(image: ImageFile, checksum: number): Promise<number> {
    computed.set(image, checksum);
    unrecorded.set(image.blobKey, checksum);
    if (unrecorded.size >= RECORDED_AT_ONCE) await record();
    return checksum;
  }

  const knownOf = (image: ImageFile) => image.crc32 ?? computed.get(image);

  return {
    read,
    async readWhole(image) {
      // With a range even if it is all of it: a node keeps no copy of a part.
      const content = await read(image, { start: 0, end: image.size });
      const bytes = content instanceof Uint8Array ? content : await new Response(content).bytes();
      const known = knownOf(image);
      if (known === undefined) {
        requireDigest(image, new Bun.CryptoHasher("sha256").update(bytes).digest("hex"));
        await remember(image, crc32(bytes));
      } else if (crc32(bytes) !== known) throw otherBytes(image);
      return bytes;
    },
    async checksum(image) {
      const known = knownOf(image);
      if (known !== undefined) return known;
      const hasher = new Bun.CryptoHasher("sha256");
      let checksum = 0;
      for await (const chunk of chunksOf(await read(image, { start: 0, end: image.size }))) {
        hasher.update(chunk);
        checksum = crc32(chunk, checksum);
      }
      requireDigest(image, hasher.digest("hex"));
      return remember(image, checksum);
    },
    record,
    [Symbol.asyncDispose]: record,
  };
}

/** A checksum of damaged bytes would make the damage look right. */
function requireDigest(image: ImageFile, found: string): void {
  if (found !== image.sha256) throw otherBytes(image, `the digest ${found}`);
}

export const otherBytes = ({ name }: ImageFile, found = "another CRC-32"): StoreError =>
  new StoreError("blob_damaged", "The stored bytes of the image are damaged.", {
    cause: new Error(`The bytes of ${JSON.stringify(name)} have ${found}.`),
  });

export async function* chunksOf(content: BlobContent): AsyncGenerator<Uint8Array, void> {
  if (content instanceof Uint8Array) yield content;
  else yield* content instanceof Blob ? content.stream() : content;
}
