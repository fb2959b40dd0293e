/** A bucket that is imported, or an object in it, cannot be read. The message says why. */
export class ObjectSourceError extends Error {
  /** Whether the reason is not about one object. */
  readonly isAway: boolean;

  constructor(message: string, { cause, isAway = false }: { readonly cause: unknown; readonly isAway?: boolean }) {
    super(message, { cause });
    this.isAway = isAway;
  }
}
