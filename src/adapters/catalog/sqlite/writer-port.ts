import type { Change, ChangeResults } from "../../../domain/change.ts";
import type { SerializedError } from "../../../domain/errors.ts";

/** What became of one change. */
export type Outcome = { readonly value: ChangeResults[Change["type"]] } | { readonly error: SerializedError };

export interface BatchResult {
  /** One for each change, in order. */
  readonly outcomes: readonly Outcome[];
  /** New events may be readable. */
  readonly appended: boolean;
  /** What was written is in doubt, or the engine is broken: nothing more may be written before a restart. */
  readonly fatal?: SerializedError;
}

/** Puts a batch of changes into one durable transaction. One batch at a time. */
export interface Writer {
  /** Rejects only when the writer died; then nobody knows what was done. */
  run(changes: readonly Change[]): Promise<BatchResult>;
  close(): Promise<void>;
  /** Resolves when it has ended though nobody closed it. */
  readonly death: Promise<Error>;
}
