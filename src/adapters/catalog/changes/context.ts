/** What the changes of one transaction share. */
export interface ChangeContext {
  /** The database's time in milliseconds since 1970, read once. */
  readonly now: number;
  /** Events appended so far; those of a change that was rolled back count too. */
  appended: number;
}

/** A record's times never go backwards, whatever the clock does. */
export const touched = (previous: { readonly updated_at: number }, context: ChangeContext): number =>
  Math.max(context.now, previous.updated_at);
