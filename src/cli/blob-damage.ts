import { StoreError } from "../domain/errors.ts";
import type { BlobContent, BlobRow, Catalog } from "../ports.ts";

/** Why the bytes of a blob can't be had, where it is that and nothing wrong with us; it is thrown on otherwise. */
export function damageOf(error: unknown): string {
  if (error instanceof StoreError) return reasonOf(error);
  // A long content fails on its way, where no adapter translates it.
  if (error instanceof Error && "syscall" in error) return error.message;
  throw error;
}

/** What the adapter knows more than it tells clients. */
function reasonOf({ message, cause }: StoreError): string {
  if (cause instanceof Error) return cause.message;
  return typeof cause === "string" ? cause : message;
}

/** The bytes of a blob are not to be had, or not those that were stored; the message says what is wrong. */
export class DamagedBytes extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "DamagedBytes";
  }
}

/**
 * The content that `open` gives, for whoever takes it in pieces. What fails here is damage, and what fails elsewhere in the
 * same pass is not.
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

/** Its row as it is now, in whatever state. */
export async function findBlob(catalog: Pick<Catalog, "blobs">, key: string): Promise<BlobRow | undefined> {
  // At most so many keys differ in the last hex digit only.
  const rows = await catalog.blobs({ afterKey: key.slice(0, -1), limit: 16 });
  return rows.find((row) => row.key === key);
}
