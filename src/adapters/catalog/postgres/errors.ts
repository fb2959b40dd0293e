import { DatabaseError } from "pg";
import { StoreError } from "../../../domain/errors.ts";

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const RACED = new Set([
  "40001", // serialization_failure
  "40P01", // deadlock_detected
  "23505", // unique_violation: another transaction inserted the row after this one had looked for it
]);

/** A concurrent transaction got in the way. Another attempt may succeed. */
export const isRaced = (error: unknown): boolean => error instanceof DatabaseError && RACED.has(error.code ?? "");

/**
 * The connection is closed or in an unknown state: the server ended it (57P01 and others, all FATAL), the network failed, or
 * the server did not answer in time.
 */
export const isConnectionLost = (error: unknown): boolean =>
  error instanceof DatabaseError ? error.severity === "FATAL" || error.severity === "PANIC" : !isOurs(error);

/** A refusal or a bug of this program. The client library throws other errors when the network fails. */
const isOurs = (error: unknown): boolean =>
  [StoreError, TypeError, RangeError, ReferenceError, SyntaxError].some((type) => error instanceof type);

export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const extras = { cause: error };
  if (isConnectionLost(error)) return new StoreError("unavailable", "The catalog does not respond.", extras);
  const code = error instanceof DatabaseError ? (error.code ?? "") : "";
  switch (code) {
    case "53100": // disk_full
      return new StoreError("insufficient_storage", "The catalog's disk is full. Nothing was changed.", extras);
    case "55P03": // lock_not_available: lock_timeout
    case "40001":
    case "40P01":
      return new StoreError("busy", "Concurrent changes took too long. Try again.", extras);
    case "57014": // query_canceled: statement_timeout, or an administrator
      return new StoreError("unavailable", "The catalog did not respond in time.", extras);
    case "25006": // read_only_sql_transaction
    case "0A000": // feature_not_supported: a standby's response to a transaction that writes
      return new StoreError("unavailable", "The catalog is read-only at the moment.", extras);
  }
  // Resources, an operator's command or the system: not the fault of this statement.
  if (/^(08|53|57|58)/.test(code)) return new StoreError("unavailable", "The catalog does not respond.", extras);
  return new StoreError("internal", "The catalog failed unexpectedly.", extras);
}
