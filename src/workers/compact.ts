import type { BlobStore, Catalog } from "../ports.ts";
import { every } from "./every.ts";

export interface CompactPorts {
  readonly catalog: Pick<Catalog, "write">;
  readonly blobs: Pick<BlobStore, "compact">;
}

/** Gives back, now and then, the space that removed blobs left between those that stay, until the signal aborts. */
export function runCompaction(
  ports: CompactPorts,
  { interval, onFailure }: { readonly interval: number; readonly onFailure: (error: unknown) => void },
  signal: AbortSignal,
): Promise<void> {
  return every(interval, signal, () => compactBlobs(ports, signal), onFailure);
}

export const compactBlobs = ({ catalog, blobs }: CompactPorts, signal: AbortSignal): Promise<void> =>
  blobs.compact(async (moves) => (await catalog.write({ type: "moveBlobs", moves })).moved, signal);
