import type { Change, ChangeResult, ChangeResults } from "../../domain/change.ts";
import { createAlbum, putAlbum, updateAlbum } from "./changes/albums.ts";
import { claimUnrecorded, reserveBlobs } from "./changes/blobs.ts";
import type { ChangeContext } from "./changes/context.ts";
import { deleteAlbum, deleteAlbumChunk } from "./changes/delete-album.ts";
import { describeImage } from "./changes/describe-image.ts";
import { hold, releaseHold } from "./changes/holds.ts";
import { pruneIdempotency } from "./changes/idempotency.ts";
import { deleteImage, updateImage } from "./changes/images.ts";
import { acquireLease, releaseLease, requireLease } from "./changes/leases.ts";
import { ensureLinkKey } from "./changes/link-key.ts";
import { advanceCursor, deleteCursor, pruneEvents, registerCursor, renewEpoch } from "./changes/log.ts";
import { moveBlobs } from "./changes/move-blobs.ts";
import { putImages } from "./changes/put-images.ts";
import { beginBlobDeletion, finishBlobDeletion } from "./changes/sweep.ts";
import type { Driver } from "./driver.ts";

type Apply<C extends Change> = (db: Driver, context: ChangeContext, change: C) => Promise<ChangeResult<C>>;

const CHANGES: { readonly [Type in Change["type"]]: Apply<Extract<Change, { type: Type }>> } = {
  createAlbum,
  putAlbum,
  updateAlbum,
  deleteAlbum,
  deleteAlbumChunk,
  putImages,
  updateImage,
  deleteImage,
  describeImage,
  ensureLinkKey,
  registerCursor,
  advanceCursor,
  deleteCursor,
  pruneEvents,
  pruneIdempotency,
  renewEpoch,
  acquireLease,
  releaseLease,
  reserveBlobs,
  claimUnrecorded,
  beginBlobDeletion,
  finishBlobDeletion,
  moveBlobs,
  hold,
  releaseHold,
};

/**
 * Runs one change whole, inside a transaction (or savepoint) that the caller has opened and rolls back when this throws.
 * Locks are taken in one order: lease, idempotency row, album, image.
 */
export async function applyChange(
  db: Driver,
  context: ChangeContext,
  change: Change,
): Promise<ChangeResults[Change["type"]]> {
  if (change.fence !== undefined) await requireLease(db, change.fence);
  return (CHANGES[change.type] as Apply<Change>)(db, context, change);
}
