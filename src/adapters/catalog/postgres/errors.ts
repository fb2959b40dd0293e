import { DatabaseError } from "pg";
import { StoreError } from "../../../domain/errors.ts";

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const RACED = new Set([
  "40001", // serialization_failure
  "40P01", // deadlock_detected
  "23505", // unique_violation: what was looked for was not there yet
]);

/** Another wrote at the same time, in a way that neither could know. The same again may come out otherwise. */
export const isRaced = (error: unknown): boolean => error instanceof DatabaseError && RACED.has(error.code ?? "");

/**
 * The connection is no more, or nobody knows in what state: the server ended it (57P01 and others, all FATAL), or the
 * network did, or no answer came in time.
 */
export const isConnectionLost = (error: unknown): boolean =>
  error instanceof DatabaseError ? error.severity === "FATAL" || error.severity === "PANIC" : !isOurs(error);

/** A refusal, or a mistake of this program; what the library throws for the network is neither. */
const isOurs = (error: unknown): boolean =>
  [StoreError, TypeError, RangeError, ReferenceError, SyntaxError].some((type) => error instanceof type);

export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const extras = { cause: error };
  if (isConnectionLost(error)) return new StoreError("unavailable", "The catalog does not answer.", extras);
  const code = error instanceof DatabaseError ? (error.code ?? "") : "";
  switch (code) {
    case "53100": // disk_full
      return new StoreError("insufficient_storage", "The catalog's disk is full. Nothing was changed.", extras);
    case "55P03": // lock_not_available: lock_timeout
    case "40001":
    case "40P01":
      return new StoreError("busy", "Others have been writing to the same for long. Try again.", extras);
    case "57014": // query_canceled: statement_timeout, or an administrator
      return new StoreError("unavailable", "The catalog took too long.", extras);
    case "25006": // read_only_sql_transaction
    case "0A000": // feature_not_supported: what a standby says of a transaction that is to write
      return new StoreError("unavailable", "The catalog cannot be written to now.", extras);
  }
  // Resources, an operator's doing, the system: nothing that this statement could help.
  if (/^(08|53|57|58)/.test(code)) return new StoreError("unavailable", "The catalog does not answer.", extras);
  return new StoreError("internal", "Something went wrong in the catalog.", extras);
}
