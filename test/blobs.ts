import type { BlobContent, BlobStore } from "../src/ports.ts";

/** Bytes of which no two places are alike, the same each time. */
export function patterned(size: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(size / 4));
  for (let index = 0; index < words.length; index++) words[index] = Math.imul(index + size, 2_654_435_761);
  return new Uint8Array(words.buffer, 0, size);
}

export const sha256 = (bytes: Uint8Array): string => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

export const contentBytes = (content: BlobContent): Promise<Uint8Array> => new Response(content).bytes();

export async function putBlob(store: BlobStore, bytes: Uint8Array): Promise<{ key: string; location: string }> {
  const staged = await store.stage(pieces(bytes, 65_536), { maxBytes: bytes.length });
  const location = await store.commit(staged);
  store.release([staged.key]);
  return { key: staged.key, location };
}

/** Copies, since a chunk is the store's once it was taken. */
export async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.slice(start, start + size);
}
