import { StoreError } from "../domain/errors.ts";
import type { BlobContent } from "../ports.ts";

/** Returns why the bytes of a blob cannot be read. Rethrows an error that says nothing about the blob. */
export function damageOf(error: unknown): string {
  if (error instanceof StoreError) return reasonOf(error);
  // A large blob can fail while it is streamed, where no adapter translates the error.
  if (error instanceof Error && "syscall" in error) return error.message;
  throw error;
}

/** The cause, which clients do not see, says more than the message. */
function reasonOf({ message, cause }: StoreError): string {
  if (cause instanceof Error) return cause.message;
  return typeof cause === "string" ? cause : message;
}

/** The bytes of a blob cannot be read, or differ from those that were stored; the message says how. */
export class DamagedBytes extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "DamagedBytes";
  }
}

/**
 * Streams the content that `open` returns. A failure to read becomes DamagedBytes, which the caller can tell from its own failures.
 * @throws DamagedBytes
 */
export async function* piecesOf(open: () => Promise<BlobContent>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  try {
    const content = await open();
    if (content instanceof Uint8Array) yield content;
    else yield* content instanceof Blob ? content.stream() : content;
  } catch (error) {
    throw new DamagedBytes(damageOf(error), { cause: error });
  }
}
