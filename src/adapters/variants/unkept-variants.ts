import { StoreError } from "../../domain/errors.ts";
import type { Rendered, Variant } from "../../ports.ts";
import type { CachedFiles } from "../disk-cache/cached-files.ts";

/** Rendered variants that the cache does not keep: each file is removed when the variant is disposed of, all at the end. */
export interface UnkeptVariants extends AsyncDisposable {
  add(path: string, rendered: Rendered): Variant;
}

/** The runtime opens a file that it streams only when it starts to send it. */
const STREAM_OPENS_MS = 10_000;

export function createUnkeptVariants(files: CachedFiles): UnkeptVariants {
  const paths = new Set<string>();

  async function remove(path: string): Promise<void> {
    paths.delete(path);
    await files.remove([path]).catch(() => {});
  }

  return {
    add(path, rendered) {
      const { size } = rendered;
      paths.add(path);
      let isStreamed = false;
      return {
        ...readable(rendered, async (range) => {
          const content = await files.read(path, range === undefined ? { size } : { size, range });
          isStreamed ||= content instanceof ReadableStream;
          return content;
        }),
        async [Symbol.asyncDispose]() {
          if (isStreamed) setTimeout(() => void remove(path), STREAM_OPENS_MS).unref();
          else await remove(path);
        },
      };
    },

    async [Symbol.asyncDispose]() {
      await Promise.all(Array.from(paths, remove));
    },
  };
}

/** A rendered file as a variant, whatever else is known of it. */
export const readable = (
  { contentType, size, sha256 }: Rendered,
  read: Variant["read"],
): Omit<Variant, keyof AsyncDisposable> => ({
  contentType,
  size,
  sha256,
  async read(range) {
    try {
      return await read(range);
    } catch (cause) {
      throw new StoreError("unavailable", "The rendered variant was removed meanwhile. Try again.", { cause });
    }
  },
});
