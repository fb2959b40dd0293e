import { every } from "../concurrency/clock.ts";
import type { Catalog } from "../ports.ts";

export interface AlbumDeletionDeps {
  readonly catalog: Pick<Catalog, "write" | "albumsBeingDeleted">;
}

/** Images of one transaction; requests wait for each. */
const CHUNK = 1000;
const ALBUMS = 100;

/** Deletes the images of large albums whose deletion was accepted, also after a crash, until the signal aborts. */
export function runAlbumDeletion(
  deps: AlbumDeletionDeps,
  { interval = 1000, onFailure }: { interval?: number; onFailure: (error: unknown) => void },
  signal: AbortSignal,
): Promise<void> {
  return every(interval, signal, () => finishAlbumDeletions(deps, signal), onFailure);
}

/** Deletes one album after another, in chunks, until none is left. */
export async function finishAlbumDeletions({ catalog }: AlbumDeletionDeps, signal?: AbortSignal): Promise<void> {
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
