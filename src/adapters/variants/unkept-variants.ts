import { StoreError } from "../../domain/errors.ts";
import type { Rendered, Variant } from "../../ports.ts";
import type { CachedFiles } from "../files/cached-files.ts";

/** What was made and is not kept: each goes when it is disposed of, all at the end. */
export interface UnkeptVariants extends AsyncDisposable {
  add(path: string, rendered: Rendered): Variant;
}

/** The runtime opens a file that it streams only when it begins to send it. */
const STREAM_OPENS_MS = 10_000;

export function createUnkeptVariants(files: CachedFiles): UnkeptVariants {
  const paths = new Set<string>();

  async function remove(path: string): Promise<void> {
    paths.delete(path);
    await files.remove([path]).catch(() => {});
  }

  return {
    add(path, { contentType, size, sha256 }) {
      paths.add(path);
      let isStreamed = false;
      return {
        contentType,
        size,
        sha256,
        async read(range) {
          try {
            const content = await files.read(path, range === undefined ? { size } : { size, range });
            isStreamed ||= content instanceof ReadableStream;
            return content;
          } catch (error) {
            throw gone(error);
          }
        },
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

export const gone = (cause: unknown): StoreError =>
  new StoreError("unavailable", "The rendered picture went meanwhile. Try again.", { cause });
