import { createHash } from "node:crypto";
import { fchmodSync, futimesSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Image, StoreError } from "../../../client/src/index.ts";
import type { RemoteCall } from "./connection.ts";
import { LOST } from "./describe-error.ts";
import { nextTemporaryName } from "./folder-entries.ts";
import type { FileProgress } from "./progress.ts";

const ATTEMPTS = 4;
/** Up to this size an image is received whole: chunks cost a call of the file system each. */
const IN_MEMORY = 2 * 1024 * 1024;
export const DEFAULT_UMASK = 0o077;

export const lostConnection = (cause?: unknown) => new StoreError(LOST, { status: 0, code: "unreachable", cause });

/**
 * Downloads an image into the folder. Its file gets the name when all bytes have arrived and have the right digest.
 * @param time of the file; default: now
 */
export async function receiveFile(
  call: Pick<RemoteCall, "client" | "signal" | "context">,
  progress: Pick<FileProgress, "moved">,
  image: Pick<Image, "links" | "name" | "sha256" | "size">,
  folder: string,
  time?: Date,
): Promise<void> {
  const temporary = join(folder, nextTemporaryName());
  try {
    {
      await using file = await open(temporary, "wx", 0o600);
      await writeBytes(call, progress, image, file);
      // Of an open file, these take less time than it takes to wait for another thread.
      fchmodSync(file.fd, 0o666 & ~(call.context.umask ?? DEFAULT_UMASK));
      if (time !== undefined) futimesSync(file.fd, time, time);
    }
    call.signal.throwIfAborted();
    await rename(temporary, join(folder, image.name));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeBytes(
  call: Pick<RemoteCall, "client" | "signal">,
  progress: Pick<FileProgress, "moved">,
  image: Pick<Image, "links" | "sha256" | "size">,
  file: FileHandle,
): Promise<void> {
  const copy = image.size <= IN_MEMORY ? copyWhole : copyChunks;
  for (let attempt = 1; ; attempt += 1) {
    let received = 0;
    try {
      if (attempt > 1) await file.truncate(0);
      const sha256 = await copy(call, image, file, (bytes) => {
        received += bytes;
        progress.moved(bytes);
      });
      if (received < image.size) throw lostConnection();
      if (sha256 !== image.sha256) throw new Error("the bytes that arrived do not have the image's digest");
      return;
    } catch (error) {
      if (!(error instanceof StoreError) || error.status !== 0 || attempt === ATTEMPTS) throw error;
      progress.moved(-received);
    }
  }
}

/** Returns the digest of what arrived, as `copyChunks` does. */
async function copyWhole(
  { client, signal }: Pick<RemoteCall, "client" | "signal">,
  image: Pick<Image, "links">,
  file: FileHandle,
  onBytes: (count: number) => void,
): Promise<string> {
  const response = await client.download(image, { signal });
  const bytes = await response.bytes().catch((cause: unknown) => {
    signal.throwIfAborted();
    throw lostConnection(cause);
  });
  const writing = writeAt(file, bytes, 0);
  // While another thread writes.
  const sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
  await writing;
  onBytes(bytes.length);
  return sha256;
}

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; )
    written += (await file.write(bytes, written, bytes.length - written, position + written)).bytesWritten;
}

/** Returns the digest of what arrived. */
async function copyChunks(
  { client, signal }: Pick<RemoteCall, "client" | "signal">,
  image: Pick<Image, "links">,
  file: FileHandle,
  onBytes: (count: number) => void,
): Promise<string> {
  const hash = createHash("sha256");
  await writeChunks(await client.download(image, { signal }), file, { start: 0, signal }, (chunk) => {
    hash.update(chunk);
    onBytes(chunk.length);
  });
  return hash.digest("hex");
}

/**
 * Writes the body to the file from `start` on. Returns the position where it ended.
 * @throws StoreError `unreachable` if the connection is lost
 */
export async function writeChunks(
  { body }: Response,
  file: FileHandle,
  { start, signal }: { readonly start: number; readonly signal: AbortSignal },
  onChunk: (chunk: Uint8Array) => void,
): Promise<number> {
  if (body === null) throw lostConnection();
  const reader = body.getReader();
  let position = start;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        signal.throwIfAborted();
        throw lostConnection(cause);
      });
      if (done) return position;
      await writeAt(file, value, position);
      position += value.length;
      onChunk(value);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
