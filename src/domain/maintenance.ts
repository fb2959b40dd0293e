/** Changes that workers and subcommands make, rather than requests. */

import type { Album } from "./album.ts";
import type { BlobMove, BlobRef, NewBlob } from "./blob.ts";
import type { LogPosition } from "./event.ts";
import type { DescribedFields, Image } from "./image.ts";
import type { Requested } from "./requested.ts";

/** Registers a durable reader of the log. A new cursor starts at the oldest kept event; an existing one keeps its position. */
export interface RegisterCursor {
  readonly type: "registerCursor";
  readonly name: string;
}

/**
 * Moves a cursor forward; one that is further stays where it is. `known` is false for a cursor that was dropped, `rewound` is true for
 * one that stays behind `seq` because its version is another.
 */
export interface AdvanceCursor {
  readonly type: "advanceCursor";
  readonly name: string;
  readonly seq: number;
  /** The version that the reader knows. Absent: any. */
  readonly version?: number;
}

/**
 * Moves a cursor back to a position, or to the first event of a time (milliseconds since 1970) or later; one that is not that far stays
 * where it is. Either way it gets a new version, so that a save of its reader which is under way fails.
 * @throws StoreError `cursor_not_found`; `cursor_unknown`, `cursor_expired` as a reader at that position would get
 */
export interface RewindCursor extends Requested {
  readonly type: "rewindCursor";
  readonly name: string;
  readonly to: LogPosition | { readonly time: number };
}

/** Counts again what albums and quotas have, and corrects what differs. */
export interface RecountUsage {
  readonly type: "recountUsage";
}

/** @throws StoreError `cursor_not_found` */
export interface DeleteCursor {
  readonly type: "deleteCursor";
  readonly name: string;
}

/**
 * Removes the oldest events of the log, at most `limit`: those older than `retention` (milliseconds) that every durable
 * cursor has passed. While the log is over `maxBytes`, lagging cursors are dropped so that it can shrink.
 */
export interface PruneEvents {
  readonly type: "pruneEvents";
  readonly retention: number | null;
  readonly maxBytes: number | null;
  readonly limit: number;
}

export interface PruneIdempotency {
  readonly type: "pruneIdempotency";
  /** Milliseconds. */
  readonly retention: number;
  readonly limit: number;
}

/**
 * Starts a new epoch of the log, after a restore to an earlier point: sequence numbers continue above all that were ever
 * assigned, clients' cursors of earlier epochs are refused, and durable cursors keep their positions. No node may be
 * running: while one holds a lease, the result is null and nothing changes.
 */
export interface RenewEpoch {
  readonly type: "renewEpoch";
  /** Of a copy of a store, which must not send what the store sends. */
  readonly pauseWebhooks?: boolean;
}

/**
 * Acquires or renews a lease for `milliseconds` from now, if it is free, expired or already `holder`'s. Each new holder
 * gets a higher token; renewing keeps the token and never shortens the lease. The token is null while another holds it.
 */
export interface AcquireLease {
  readonly type: "acquireLease";
  readonly name: string;
  /** Unique to one process, and never reused. */
  readonly holder: string;
  readonly milliseconds: number;
}

/** Frees the lease if `holder` has it. */
export interface ReleaseLease {
  readonly type: "releaseLease";
  readonly name: string;
  readonly holder: string;
}

/**
 * Adds rows for blobs, before the first byte is sent to a shared store. A blob that has no record within the grace is
 * swept.
 */
export interface ReserveBlobs {
  readonly type: "reserveBlobs";
  readonly blobs: readonly NewBlob[];
}

/** Marks those of the blobs, found by a scan of the store, that have no record for deletion. None while a hold is active. */
export interface ClaimUnrecorded {
  readonly type: "claimUnrecorded";
  readonly blobs: readonly BlobRef[];
}

/**
 * condemned or pending → deleting. Returns the blobs that were condemned or pending for longer than `grace`
 * (milliseconds), and those already deleting; a tombstone only after `again` (milliseconds; default: a day) since its last
 * sweep. None while a hold is active. The caller then removes the bytes, and writes {@link FinishBlobDeletion}.
 */
export interface BeginBlobDeletion {
  readonly type: "beginBlobDeletion";
  readonly grace: number;
  readonly again?: number;
  readonly limit: number;
}

/**
 * deleting → gone. Safe to repeat. A blob that never got beyond pending stays as a tombstone until `tombstone`
 * milliseconds after its reservation, and is swept again meanwhile: its bytes may still arrive.
 */
export interface FinishBlobDeletion {
  readonly type: "finishBlobDeletion";
  readonly keys: readonly string[];
  /** Default: 0. */
  readonly tombstone?: number;
}

/**
 * Records new locations of blobs. Returns the keys that moved: those that were at `from` and are not being deleted; none
 * while a hold is active. The caller then removes the bytes at the other location of each.
 */
export interface MoveBlobs {
  readonly type: "moveBlobs";
  readonly moves: readonly BlobMove[];
}

/**
 * Adds the CRC-32 of blobs that were stored before uploads computed it, or replaces a wrong one: `was`. Returns how many blobs got
 * it. A blob that has another one than `was` by now keeps that.
 */
export interface RecordChecksums {
  readonly type: "recordChecksums";
  readonly blobs: readonly { readonly key: string; readonly crc32: number; readonly was?: number }[];
}

/** Keeps all bytes for `seconds` from now; repeating it renews the hold. The hold of a dead process expires. */
export interface Hold {
  readonly type: "hold";
  readonly id: string;
  readonly seconds: number;
}

export interface ReleaseHold {
  readonly type: "releaseHold";
  readonly id: string;
}

/**
 * Gives records of these ids what the store sets by itself, as another store has it: revision, times, and an image's description. Of a
 * mirror, while no server serves the catalog: no event tells its readers. Ids that are not there are passed over.
 */
export interface AlignRecords {
  readonly type: "alignRecords";
  readonly albums: readonly Pick<Album, "id" | "revision" | "createdAt" | "updatedAt">[];
  readonly images: readonly (Pick<Image, "id" | "sha256" | "revision" | "createdAt" | "updatedAt"> & DescribedFields)[];
}
