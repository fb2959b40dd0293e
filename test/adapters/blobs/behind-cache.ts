import { openOriginalsCache } from "../../../src/adapters/blobs/originals-cache.ts";
import type { BlobStore } from "../../../src/ports.ts";

const MEBIBYTE = 1024 * 1024;

/** The store with a cache in that folder before it. Both are disposed of together. */
export async function behindCache(blobs: BlobStore, folder: string): Promise<BlobStore> {
  const options = { folder, maxBytes: 64 * MEBIBYTE, minFree: 0, memoryBytes: MEBIBYTE };
  const cached = await openOriginalsCache(blobs, options);
  return {
    ...cached,
    async [Symbol.asyncDispose]() {
      await cached[Symbol.asyncDispose]();
      await blobs[Symbol.asyncDispose]();
    },
  };
}
