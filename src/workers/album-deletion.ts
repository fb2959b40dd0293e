import type { Catalog } from "../ports.ts";
import { every } from "./every.ts";

export interface AlbumDeletionPorts {
  readonly catalog: Pick<Catalog, "write" | "albumsBeingDeleted">;
}

/** Each is one transaction, which requests wait for. */
const CHUNK = 1000;
const ALBUMS = 100;

/** Finishes large albums whose deletion was answered, also those that a crash left, until the signal aborts. */
export function runAlbumDeletion(
  ports: AlbumDeletionPorts,
  { interval = 1000, onFailure }: { interval?: number; onFailure: (error: unknown) => void },
  signal: AbortSignal,
): Promise<void> {
  return every(interval, signal, () => finishAlbumDeletions(ports, signal), onFailure);
}

/** One after another, in chunks, until there is none left. */
export async function finishAlbumDeletions({ catalog }: AlbumDeletionPorts, signal?: AbortSignal): Promise<void> {
  for (;;) {
    const albumIds = await catalog.albumsBeingDeleted(ALBUMS);
    if (albumIds.length === 0) return;
    for (const albumId of albumIds) {
      for (let done = false; !done; ) {
        if (signal?.aborted === true) return;
        ({ done } = await catalog.write({ type: "deleteAlbumChunk", albumId, limit: CHUNK }));
      }
    }
  }
}
