import { every } from "../concurrency/clock.ts";
import type { Catalog, CompactableBlobs } from "../ports.ts";

export interface CompactDeps {
  readonly catalog: Pick<Catalog, "write">;
  readonly blobs: CompactableBlobs;
}

/** Reclaims the space of removed blobs at every interval, until the signal aborts. */
export function runCompaction(
  deps: CompactDeps,
  { interval, onFailure }: { readonly interval: number; readonly onFailure: (error: unknown) => void },
  signal: AbortSignal,
): Promise<void> {
  return every(interval, signal, () => compactBlobs(deps, signal), onFailure);
}

export const compactBlobs = ({ catalog, blobs }: CompactDeps, signal: AbortSignal): Promise<void> =>
  blobs.compact(async (moves) => (await catalog.write({ type: "moveBlobs", moves })).moved, signal);
