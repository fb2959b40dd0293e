import { SQLiteError } from "bun:sqlite";
import { StoreError } from "../../../domain/errors.ts";

/** A failure of the engine, not of a statement: the disk, the file, memory. Nothing else in the batch can succeed. */
export const isEngineFailure = (error: unknown): error is SQLiteError =>
  error instanceof SQLiteError && !/^SQLITE_(CONSTRAINT|ERROR|MISMATCH|RANGE|TOOBIG)/.test(error.code ?? "");

/** Over before anything was done; the next may fare better. */
export const isTransient = (error: StoreError): boolean =>
  error.code === "insufficient_storage" || error.code === "busy";

export function toStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const extras = { cause: error };
  if (!isEngineFailure(error)) return new StoreError("internal", "Something went wrong in the catalog.", extras);
  const code = error.code ?? "";
  if (code.startsWith("SQLITE_FULL"))
    return new StoreError("insufficient_storage", "The disk is full. Nothing was changed.", extras);
  if (code.startsWith("SQLITE_BUSY"))
    return new StoreError("busy", "Another process has been writing to the catalog for long. Try again.", extras);
  return new StoreError("unavailable", "The catalog does not answer.", extras);
}
