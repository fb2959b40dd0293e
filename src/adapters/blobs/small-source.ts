import { freeMemory } from "../../domain/free-memory.ts";
import type { BlobContent } from "../../ports.ts";

/** Memory that all uploads share. */
export interface MemoryBudget {
  /** Returns false, and takes nothing, where less is left. */
  take(bytes: number): boolean;
  give(bytes: number): void;
}

export function createMemoryBudget(capacity: number): MemoryBudget {
  let left = capacity;
  return {
    take(bytes) {
      if (bytes > left) return false;
      left -= bytes;
      return true;
    },
    give(bytes) {
      left += bytes;
    },
  };
}

/** All bytes of a small source, taken from the budget. Where it is larger, or memory is short: the same source from its start. */
export type Gathered =
  | { readonly bytes: Uint8Array; readonly source?: undefined }
  | { readonly bytes?: undefined; readonly source: AsyncIterable<Uint8Array> };

/** @throws what the source throws */
export async function gatherSmall(
  source: AsyncIterable<Uint8Array>,
  limit: number,
  budget: MemoryBudget,
): Promise<Gathered> {
  const iterator = source[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      const chunk = next.value;
      chunks.push(chunk);
      if (size + chunk.byteLength > limit || !budget.take(chunk.byteLength)) {
        budget.give(size);
        return { source: resume(chunks, iterator) };
      }
      size += chunk.byteLength;
    }
  } catch (error) {
    budget.give(size);
    throw error;
  }
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return { bytes: only };
  const bytes = Buffer.concat(chunks, size);
  for (const chunk of chunks) freeMemory(chunk);
  return { bytes };
}

async function* resume(chunks: Uint8Array[], iterator: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) yield chunk;
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
  } finally {
    await iterator.return?.();
  }
}

/** The bytes of a blob, as a source. */
export async function* chunksOf(content: BlobContent): AsyncGenerator<Uint8Array> {
  if (content instanceof Uint8Array) yield content;
  else yield* content instanceof Blob ? content.stream() : content;
}
