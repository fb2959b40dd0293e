import type { Catalog } from "../ports.ts";
import { every } from "./every.ts";

export interface OriginalsPurgePorts {
  readonly catalog: Pick<Catalog, "liveBlobs">;
  /** What this node keeps of blobs that are elsewhere. */
  readonly originals: {
    cachedKeys(): readonly string[];
    /** Gone from the disk when it resolves. */
    forget(keys: readonly string[]): Promise<void>;
  };
}

export interface OriginalsPurgeOptions {
  /** In which deleted bytes are gone; in milliseconds. */
  readonly grace: number;
  readonly onFailure: (error: unknown) => void;
}

/** Looked up at once. */
const BATCH = 1000;

/**
 * Takes out of this node's cache what no image owns any more, until the signal aborts. Nobody reads it meanwhile: the
 * image's record is always read first. Often enough that also what was being fetched as its image went is gone in time.
 */
export const runOriginalsPurge = (
  ports: OriginalsPurgePorts,
  { grace, onFailure }: OriginalsPurgeOptions,
  signal: AbortSignal,
): Promise<void> => every(Math.max(100, grace / 4), signal, () => purgeOriginals(ports, signal), onFailure);

export async function purgeOriginals({ catalog, originals }: OriginalsPurgePorts, signal?: AbortSignal): Promise<void> {
  const keys = originals.cachedKeys();
  for (let start = 0; start < keys.length; start += BATCH) {
    if (signal?.aborted === true) return;
    const batch = keys.slice(start, start + BATCH);
    const live = await catalog.liveBlobs(batch);
    await originals.forget(batch.filter((key) => !live.has(key)));
  }
}
