/** Why the catalog refuses to open. The message says what to do, to the person who starts the store. */
export class CatalogOpenError extends Error {
  readonly reason: "folder_in_use" | "newer_version" | "older_version" | "unsafe_engine" | "half_restored";

  constructor(reason: CatalogOpenError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CatalogOpenError";
    this.reason = reason;
  }
}
