import type { Change, Preconditions, RecordVersion } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import type { QuotaScope } from "../../../domain/quota.ts";
import { createLedger, type Ledger, type LedgerOptions } from "./ledger.ts";

/** Shared by the changes of one transaction. */
export interface ChangeContext {
  /** The database's time in milliseconds since 1970, read once. */
  readonly now: number;
  /** Number of events appended so far, including those of a change that was rolled back. */
  appended: number;
  /** Whether the store or a key has a quota: without one, an upload asks for none. */
  limited: boolean;
  ledger: Ledger;
  /** A ledger for changes that run after others of the transaction: it reads what those have used. */
  readonly newLedger: (changes: readonly Change[]) => Ledger;
  /** How many rows a new quota has. */
  readonly shards: number;
  /** Quotas of which the transaction locks all rows. */
  readonly whole: ReadonlySet<QuotaScope>;
  /** How many operations of a batch may run at once, so that their statements are pipelined. One where there are no round trips to save. */
  readonly sideBySide: number;
}

/** @param options.changes those of the transaction that run side by side */
export function createContext(
  now: number,
  options: Partial<LedgerOptions> & Partial<Pick<ChangeContext, "limited" | "sideBySide">> = {},
): ChangeContext {
  const { changes = [], limited = false, shards = 1, sideBySide = 1, whole = new Set() } = options;
  const newLedger = (those: readonly Change[]) => createLedger({ changes: those, shards, whole });
  return { now, appended: 0, limited, shards, whole, sideBySide, ledger: newLedger(changes), newLedger };
}

/** The time of a record's next version. It never goes backwards, even if the clock does. */
export const touched = (previous: { readonly updated_at: number }, context: ChangeContext): number =>
  Math.max(context.now, previous.updated_at);

export const version = ({ id, revision }: RecordVersion): RecordVersion => ({ id, revision });

/**
 * Evaluates the preconditions in the order of RFC 9110, 13.2.2.
 * @param row the current record; undefined: there is none
 * @param tagOf returns what the record's ETag stands for
 * @throws StoreError `precondition_failed`
 */
export function requirePreconditions<Tag, Row extends { readonly updated_at: number }>(
  preconditions: Preconditions<Tag> | undefined,
  row: Row | undefined,
  tagOf: (row: Row) => Tag,
) {
  if (preconditions === undefined) return;
  const { ifMatch, ifNoneMatch, ifUnmodifiedSince } = preconditions;
  const current = row && tagOf(row);
  const names = (tags: "*" | readonly Tag[]) =>
    current !== undefined && (tags === "*" || tags.some((tag) => Bun.deepEquals(tag, current)));
  if (ifMatch !== undefined && !names(ifMatch))
    throw new StoreError("precondition_failed", "If-Match does not name the current version.");
  const modified = row === undefined ? -Infinity : row.updated_at - (row.updated_at % 1000);
  if (ifMatch === undefined && ifUnmodifiedSince !== undefined && modified > ifUnmodifiedSince)
    throw new StoreError("precondition_failed", "The record was changed after the time in If-Unmodified-Since.");
  if (ifNoneMatch !== undefined && names(ifNoneMatch))
    throw new StoreError("precondition_failed", "If-None-Match names the current version.");
}
