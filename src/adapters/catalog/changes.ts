import type { Change, ChangeResult, ChangeResults } from "../../domain/change.ts";
import { createAlbum, putAlbum, updateAlbum } from "./changes/albums.ts";
import { alignRecords } from "./changes/align-records.ts";
import { runBatch } from "./changes/batch.ts";
import { claimUnrecorded, moveBlobs, recordChecksums, reserveBlobs } from "./changes/blobs.ts";
import type { ChangeContext } from "./changes/context.ts";
import { deleteAlbum, deleteAlbumChunk } from "./changes/delete-album.ts";
import { describeImage, forgetDescription } from "./changes/describe-image.ts";
import { pruneIdempotency } from "./changes/idempotency.ts";
import { deleteImage, updateImage } from "./changes/images.ts";
import { createKey, noteUses, revokeKey, updateKey } from "./changes/keys.ts";
import { acquireLease, releaseLease, requireLease } from "./changes/leases.ts";
import { ensureLinkKey } from "./changes/link-key.ts";
import { advanceCursor, deleteCursor, pruneEvents, registerCursor, renewEpoch, rewindCursor } from "./changes/log.ts";
import { moveImage } from "./changes/move-image.ts";
import { putImages } from "./changes/put-images.ts";
import { recountUsage, setQuota } from "./changes/quotas.ts";
import { replayWebhook } from "./changes/replay-webhook.ts";
import { createSession, deleteSession, pruneSessions } from "./changes/sessions.ts";
import { createShare, revokeShare } from "./changes/shares.ts";
import { beginBlobDeletion, finishBlobDeletion, hold, releaseHold } from "./changes/sweep.ts";
import { createTicket, deleteTicket, pruneTickets } from "./changes/tickets.ts";
import { saveDeliveries } from "./changes/webhook-deliveries.ts";
import { createWebhook, deleteWebhook, rotateWebhookSecret, updateWebhook } from "./changes/webhooks.ts";
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
  moveImage,
  describeImage,
  forgetDescription,
  ensureLinkKey,
  createKey,
  createShare,
  revokeShare,
  createSession,
  deleteSession,
  pruneSessions,
  updateKey,
  revokeKey,
  noteUses,
  createTicket,
  deleteTicket,
  pruneTickets,
  createWebhook,
  updateWebhook,
  deleteWebhook,
  rotateWebhookSecret,
  replayWebhook,
  saveDeliveries,
  registerCursor,
  advanceCursor,
  rewindCursor,
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
  recordChecksums,
  alignRecords,
  hold,
  releaseHold,
  setQuota,
  recountUsage,
  runBatch: (db, context, change) => runBatch(db, context, change, applyChange),
};

/**
 * Runs one change in the caller's transaction or savepoint, which the caller rolls back if this throws. The order of locks is
 * lease, idempotency row, albums by id, image, ticket, quotas by scope and shard, which one statement locks.
 */
export async function applyChange(
  db: Driver,
  context: ChangeContext,
  change: Change,
): Promise<ChangeResults[Change["type"]]> {
  if (change.fence !== undefined) await requireLease(db, change.fence);
  return (CHANGES[change.type] as Apply<Change>)(db, context, change);
}
