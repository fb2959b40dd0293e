import { StoreError } from "../../domain/errors.ts";
import { StoreOpenError } from "../../domain/open-error.ts";

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the quota of the disk is used up",
  EFBIG: "the file system takes no file so large",
  EROFS: "the file system is read-only",
  EACCES: "no permission",
  EPERM: "no permission",
  ENOTDIR: "it is no folder",
  EEXIST: "it is no folder",
  EISDIR: "it is a folder",
  EIO: "the disk fails",
  SQLITE_FULL: "the disk is full",
  SQLITE_CANTOPEN: "no file can be made there",
  SQLITE_READONLY: "it can't be written to",
  SQLITE_NOTADB: "it is no SQLite database",
};

/** Codes that only the operator can do something about. */
const REFUSALS = /^(EROFS|EACCES|EPERM|ENOTDIR|EEXIST|EISDIR|ENOENT|SQLITE_(CANTOPEN|READONLY|NOTADB|PERM|AUTH))/;

/** Names the folder in the error of a command that works with two: which disk is full is not obvious there. */
export function explainFullStore(dataFolder: string, error: unknown): unknown {
  if (!(error instanceof StoreError) || error.code !== "insufficient_storage") return error;
  return new Error(`${dataFolder}: ${error.message} Make room there, and run it again.`, { cause: error });
}

/** Explains an error of a folder that the operator named. The store's own errors are returned as they are. */
export function explainFolderError(folder: string, error: unknown): unknown {
  const code = codeOf(error);
  const reason = code === undefined ? undefined : reasonOf(code);
  return reason === undefined
    ? error
    : new Error(`${folder}: ${reason} (${(error as Error).message}).`, { cause: error });
}

/**
 * Explains why a file or folder of the store cannot be opened, with its path: as a {@link StoreOpenError} where the next
 * attempt will fail too. The store's own errors are returned as they are, except the failure of a disk.
 */
export function explainOpenFailure(path: string, error: unknown): unknown {
  const failure = error instanceof StoreError && codeOf(error.cause) !== undefined ? error.cause : error;
  const code = codeOf(failure);
  if (code === undefined) return error;
  const reason = reasonOf(code) ?? "it can't be opened";
  const message = `${path}: ${reason} (${(failure as Error).message}).`;
  return REFUSALS.test(code)
    ? new StoreOpenError("unusable", message, { cause: failure })
    : new Error(message, { cause: failure });
}

const reasonOf = (code: string): string | undefined =>
  REASONS[code] ?? Object.entries(REASONS).find(([known]) => code.startsWith(`${known}_`))?.[1];

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || error instanceof StoreError || error instanceof StoreOpenError) return undefined;
  return "code" in error && typeof error.code === "string" ? error.code : undefined;
}
