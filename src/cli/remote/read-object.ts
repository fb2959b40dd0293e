import type { FoundObject, S3Source } from "../../adapters/blobs/s3/source.ts";
import { recognise, START_BYTES } from "../../adapters/renderer/formats/codecs.ts";

/** Up to this size, an object is read once and sent from memory. Larger ones are read once for the digest and once to be sent. */
const BUFFERED = 16 * 1024 * 1024;

/** An object that was read: to its end if it is an image. */
export interface ReadObject {
  readonly isImage: boolean;
  readonly sha256: string;
  /** Of an object that is not large. */
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
}

/** @throws ObjectSourceError */
export async function readObject(source: S3Source, object: FoundObject): Promise<ReadObject> {
  const { size } = object;
  const hash = new Bun.CryptoHasher("sha256");
  const bytes = size <= BUFFERED ? new Uint8Array(size) : undefined;
  let start = Buffer.alloc(0);
  let read = 0;
  for await (const chunk of chunksOf(await source.read(object))) {
    if (start.length < START_BYTES) {
      start = Buffer.concat([start, chunk.subarray(0, START_BYTES - start.length)]);
      const isStart = start.length === Math.min(size, START_BYTES);
      // The rest of it is not read.
      if (isStart && !isImageStart(start)) return { isImage: false, sha256: "", bytes: undefined };
    }
    bytes?.set(chunk, read);
    hash.update(chunk);
    read += chunk.byteLength;
  }
  return { isImage: true, sha256: hash.digest("hex"), bytes };
}

/** Reads the first bytes alone. */
export async function isImageObject(source: S3Source, object: FoundObject): Promise<boolean> {
  const range = { start: 0, end: Math.min(object.size, START_BYTES) };
  let start = Buffer.alloc(0);
  for await (const chunk of chunksOf(await source.read(object, range))) start = Buffer.concat([start, chunk]);
  return isImageStart(start);
}

export async function readText(source: S3Source, object: FoundObject): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(await source.read(object))) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

const isImageStart = (start: Buffer): boolean => recognise(start.toString("latin1")) !== undefined;

async function* chunksOf(content: Awaited<ReturnType<S3Source["read"]>>): AsyncGenerator<Uint8Array, void> {
  if (content instanceof Uint8Array) yield content;
  else yield* content;
}
