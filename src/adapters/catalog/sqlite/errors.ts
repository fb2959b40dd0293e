import { SQLiteError } from "bun:sqlite";
import { StoreError } from "../../../domain/errors.ts";

/** A failure of the engine and not of a statement: disk, file or memory. No other change of the batch can succeed. */
export const isEngineFailure = (error: unknown): error is SQLiteError =>
  error instanceof SQLiteError && !/^SQLITE_(CONSTRAINT|ERROR|MISMATCH|RANGE|TOOBIG)/.test(error.code ?? "");

/** Nothing was changed, and the next attempt may succeed. */
export const isTransient = (error: StoreError): boolean =>
  error.code === "insufficient_storage" || error.code === "busy";

export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const extras = { cause: error };
  if (!isEngineFailure(error)) return new StoreError("internal", "The catalog failed unexpectedly.", extras);
  const code = error.code ?? "";
  if (code.startsWith("SQLITE_FULL"))
    return new StoreError("insufficient_storage", "The disk is full. Nothing was changed.", extras);
  if (code.startsWith("SQLITE_BUSY"))
    return new StoreError("busy", "Another process locked the catalog for too long. Try again.", extras);
  return new StoreError("unavailable", "The catalog does not respond.", extras);
}
