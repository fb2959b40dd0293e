import { every } from "../concurrency/clock.ts";
import type { Catalog } from "../ports.ts";

export interface OriginalsPurgeDeps {
  readonly catalog: Pick<Catalog, "liveBlobs">;
  /** This node's cache of blobs in a remote store. */
  readonly originals: {
    cachedKeys(): readonly string[];
    /** Resolves when the bytes are off the disk. */
    forget(keys: readonly string[]): Promise<void>;
  };
}

export interface OriginalsPurgeOptions {
  /** Milliseconds within which deleted bytes must be gone. */
  readonly grace: number;
  readonly onFailure: (error: unknown) => void;
}

/** Keys of one query. */
const BATCH = 1000;

/**
 * Removes the originals of deleted images from this node's cache, until the signal aborts. No request reads them meanwhile,
 * since each reads the image's record first. Runs several times per grace, so that an original that was being fetched as
 * its image was deleted is gone in time too.
 */
export const runOriginalsPurge = (
  deps: OriginalsPurgeDeps,
  { grace, onFailure }: OriginalsPurgeOptions,
  signal: AbortSignal,
): Promise<void> => every(Math.max(100, grace / 4), signal, () => purgeOriginals(deps, signal), onFailure);

export async function purgeOriginals({ catalog, originals }: OriginalsPurgeDeps, signal?: AbortSignal): Promise<void> {
  const keys = originals.cachedKeys();
  for (let start = 0; start < keys.length; start += BATCH) {
    if (signal?.aborted === true) return;
    const batch = keys.slice(start, start + BATCH);
    const live = await catalog.liveBlobs(batch);
    await originals.forget(batch.filter((key) => !live.has(key)));
  }
}
