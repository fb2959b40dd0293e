/**
 * - `folder_in_use`: another process has the folder.
 * - `newer_version`, `older_version`: another version of the program wrote the catalog.
 * - `foreign_schema`: the database is another program's.
 * - `foreign_blobs`: the bytes are another store's, or nothing shows that they are this one's.
 * - `unsafe_engine`: the database engine would not keep what it is given.
 * - `half_restored`: a restore was interrupted.
 * - `unusable`: a folder, file, database or bucket refuses the store, and will again.
 */
export type OpenErrorReason =
  | "folder_in_use"
  | "newer_version"
  | "older_version"
  | "foreign_schema"
  | "foreign_blobs"
  | "unsafe_engine"
  | "half_restored"
  | "unusable";

/** Why the store does not open, where only its operator can help. The message says what to do. */
export class StoreOpenError extends Error {
  readonly reason: OpenErrorReason;

  constructor(reason: OpenErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StoreOpenError";
    this.reason = reason;
  }
}
