/** Changes that no request asks for: what workers and subcommands write. */
import type { BlobMove, BlobRef, NewBlob } from "./blob.ts";

/** A durable reader of the log. A new one starts at the oldest kept event; a known one goes on where it was. */
export interface RegisterCursor {
  readonly type: "registerCursor";
  readonly name: string;
}

/** Never backwards. `known` is false when the cursor was given up. */
export interface AdvanceCursor {
  readonly type: "advanceCursor";
  readonly name: string;
  readonly seq: number;
}

/** `cursor_not_found`. */
export interface DeleteCursor {
  readonly type: "deleteCursor";
  readonly name: string;
}

/**
 * Removes a prefix of the log, at most `limit` events: those older than `retention` (milliseconds) that every durable
 * cursor has passed. Where the log is over `maxBytes`, cursors that stand in the way are given up.
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
 * After a restore to an earlier point: sequence numbers go on above all that were ever given, clients' cursors of before
 * are told, and durable cursors go on where they were. For when no node runs: null, and nothing is done, while one has a
 * lease.
 */
export interface RenewEpoch {
  readonly type: "renewEpoch";
}

/**
 * Takes the lease where it is free, has lapsed or is `holder`'s, for `milliseconds` from now. The token stays the same
 * while a holder renews, which never shortens it, and is higher than every one before for the next; null when another
 * has it.
 */
export interface AcquireLease {
  readonly type: "acquireLease";
  readonly name: string;
  /** Made by each process for itself, never used again. */
  readonly holder: string;
  readonly milliseconds: number;
}

/** Free at once, if `holder` has it. */
export interface ReleaseLease {
  readonly type: "releaseLease";
  readonly name: string;
  readonly holder: string;
}

/**
 * Rows for bytes that are about to be sent to a shared store: without a record within the grace, they are swept. Before
 * the first byte is sent.
 */
export interface ReserveBlobs {
  readonly type: "reserveBlobs";
  readonly blobs: readonly NewBlob[];
}

/** Of the bytes that a scan of the store found, marks those for deletion that no record has. Nothing while a hold is on. */
export interface ClaimUnrecorded {
  readonly type: "claimUnrecorded";
  readonly blobs: readonly BlobRef[];
}

/**
 * condemned or pending → deleting: answers blobs that were so for longer than `grace` (milliseconds) and those already
 * `deleting`; of those that were swept before, only what was so for longer than `again` (milliseconds; default: a day).
 * Nothing while a hold is on. The bytes may go after this, then {@link FinishBlobDeletion}.
 */
export interface BeginBlobDeletion {
  readonly type: "beginBlobDeletion";
  readonly grace: number;
  readonly again?: number;
  readonly limit: number;
}

/**
 * deleting → gone. Safe to repeat. What was never more than pending stays for `tombstone` milliseconds since it was
 * reserved, and comes again meanwhile: its bytes may still be on their way.
 */
export interface FinishBlobDeletion {
  readonly type: "finishBlobDeletion";
  readonly keys: readonly string[];
  /** Default: 0. */
  readonly tombstone?: number;
}

/**
 * Answers the keys that are at their new location now: those that were at `from` and are not being deleted. None while a
 * hold is on. What was left may go after this.
 */
export interface MoveBlobs {
  readonly type: "moveBlobs";
  readonly moves: readonly BlobMove[];
}

/** For `seconds` from now no step destroys bytes; renew by repeating it. A dead process's hold lapses by itself. */
export interface Hold {
  readonly type: "hold";
  readonly id: string;
  readonly seconds: number;
}

export interface ReleaseHold {
  readonly type: "releaseHold";
  readonly id: string;
}
