import type { Extent } from "../../ports.ts";
import { DamagedBytes, piecesOf } from "../blob-damage.ts";

/** Bytes as they lie there, whatever they are. */
export interface RawBytes {
  readonly extent: Extent;
  readonly size: number;
  readonly sha256: string;
  /** Zeros, as what was removed, or no bytes at all. */
  readonly isEmpty: boolean;
}

/** @throws DamagedBytes when they can't be read */
export const readExtent = ({ path, offset, length }: Extent): AsyncIterable<Uint8Array<ArrayBuffer>> =>
  piecesOf(() =>
    Promise.resolve(
      Bun.file(path)
        .slice(offset, offset + length)
        .stream(),
    ),
  );

/** @throws DamagedBytes when they can't be read */
export async function lookAt(extent: Extent): Promise<RawBytes> {
  const hasher = new Bun.CryptoHasher("sha256");
  let [size, isEmpty] = [0, true];
  for await (const piece of readExtent(extent)) {
    hasher.update(piece);
    size += piece.byteLength;
    isEmpty &&= isZero(piece);
  }
  return { extent, size, sha256: hasher.digest("hex"), isEmpty };
}

/** Where there are such bytes, and they can be read. */
export async function tryToLookAt(extent: Extent): Promise<RawBytes | undefined> {
  try {
    return await lookAt(extent);
  } catch (error) {
    if (error instanceof DamagedBytes) return undefined;
    throw error;
  }
}

/** The first byte is, and each is the same as the next. */
const isZero = (bytes: Uint8Array): boolean =>
  bytes.byteLength === 0 || (bytes[0] === 0 && Buffer.compare(bytes.subarray(1), bytes.subarray(0, -1)) === 0);
