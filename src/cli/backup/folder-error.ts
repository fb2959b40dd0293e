import { StoreError } from "../../domain/errors.ts";

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the quota of the disk is used up",
  EFBIG: "the file system takes no file so large",
  EROFS: "the file system is read-only",
  EACCES: "no permission",
  EPERM: "no permission",
  ENOTDIR: "it is no folder",
  EEXIST: "it is no folder",
  EIO: "the disk fails",
  SQLITE_FULL: "the disk is full",
  SQLITE_CANTOPEN: "no file can be made there",
  SQLITE_READONLY: "it can't be written to",
};

/** Clients of a server know which disk is full; who runs a command with two folders does not. */
export function explainFullStore(dataFolder: string, error: unknown): unknown {
  if (!(error instanceof StoreError) || error.code !== "insufficient_storage") return error;
  return new Error(`${dataFolder}: ${error.message} Make room there, and run it again.`, { cause: error });
}

/** What went wrong with a folder that somebody named, as that person needs to hear it. Errors of ours pass. */
export function explainFolderError(folder: string, error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return error;
  const { code } = error;
  const reason = REASONS[code] ?? Object.entries(REASONS).find(([known]) => code.startsWith(`${known}_`))?.[1];
  return reason === undefined ? error : new Error(`${folder}: ${reason} (${error.message}).`, { cause: error });
}
