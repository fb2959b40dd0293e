import { statfs } from "node:fs/promises";
import { StoreError } from "../../domain/errors.ts";

const FRESH_FOR_MS = 1000;
const LEAST_BYTES = 256 * 1024 * 1024;
const LEAST_SHARE = 0.01;

/** Keeps room on the disk, so deletes and sweeps, which write too, still can. */
export interface FreeSpace {
  /** Free bytes, measured at most a second ago, minus what was taken since. */
  measure(): Promise<number>;
  /**
   * Takes room for so many bytes. They count from now on, since a fast disk can be filled between two measurements.
   * @throws StoreError `insufficient_storage`
   */
  take(bytes: number): Promise<void>;
  /** Yields the chunks of the source, and takes room for each before. */
  takeFor(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array>;
}

/** `minFree` in bytes; undefined: 1 % of the file system, at least 256 MiB. */
export function createFreeSpace(folder: string, minFree: number | undefined): FreeSpace {
  let measuredAt = Number.NEGATIVE_INFINITY;
  let measured: Promise<{ free: number; readonly least: number }> | undefined;

  function look() {
    const now = performance.now();
    if (measured === undefined || now - measuredAt > FRESH_FOR_MS) {
      measuredAt = now;
      measured = statfs(folder).then(({ bsize, bavail, blocks }) => ({
        free: bavail * bsize,
        least: minFree ?? Math.max(LEAST_BYTES, blocks * bsize * LEAST_SHARE),
      }));
    }
    return measured;
  }

  async function take(bytes: number): Promise<void> {
    const space = await look();
    if (space.free - bytes < space.least)
      throw new StoreError("insufficient_storage", "The disk is nearly full. Delete something, or make room.");
    space.free -= bytes;
  }

  return {
    async measure() {
      return (await look()).free;
    },
    take,
    async *takeFor(source) {
      for await (const chunk of source) {
        await take(chunk.byteLength);
        yield chunk;
      }
    },
  };
}
