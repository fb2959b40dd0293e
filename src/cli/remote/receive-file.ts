import { createHash } from "node:crypto";
import { closeSync, constants, fchmodSync, futimesSync, openSync } from "node:fs";
import { type FileHandle, open, rename, rm, writeFile } from "node:fs/promises";
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
    await writeBytes(call, progress, image, temporary);
    setModeAndTime(temporary, 0o666 & ~(call.context.umask ?? DEFAULT_UMASK), time);
    call.signal.throwIfAborted();
    await rename(temporary, join(folder, image.name));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Where others may write to the folder, they may have put a link in its place. */
function setModeAndTime(path: string, mode: number, time: Date | undefined): void {
  // Of a file in use, these take less time than it takes to wait for another thread.
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    fchmodSync(file, mode);
    if (time !== undefined) futimesSync(file, time, time);
  } finally {
    closeSync(file);
  }
}

/** A new file that only the user may read, or the one of an earlier attempt without its bytes. */
interface Target {
  readonly path: string;
  readonly flag: "wx" | "w";
}

const OWN_MODE = 0o600;

async function writeBytes(
  call: Pick<RemoteCall, "client" | "signal">,
  progress: Pick<FileProgress, "moved">,
  image: Pick<Image, "links" | "sha256" | "size">,
  path: string,
): Promise<void> {
  const copy = image.size <= IN_MEMORY ? copyWhole : copyChunks;
  for (let attempt = 1; ; attempt += 1) {
    let received = 0;
    try {
      const sha256 = await copy(call, image, { path, flag: attempt === 1 ? "wx" : "w" }, (bytes) => {
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
  { path, flag }: Target,
  onBytes: (count: number) => void,
): Promise<string> {
  const response = await client.download(image, { signal });
  const bytes = await response.bytes().catch((cause: unknown) => {
    signal.throwIfAborted();
    throw lostConnection(cause);
  });
  const writing = writeFile(path, bytes, { flag, mode: OWN_MODE });
  // While another thread opens, writes and closes the file.
  const sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
  await writing;
  onBytes(bytes.length);
  return sha256;
}

/** Returns the digest of what arrived. */
async function copyChunks(
  { client, signal }: Pick<RemoteCall, "client" | "signal">,
  image: Pick<Image, "links">,
  { path, flag }: Target,
  onBytes: (count: number) => void,
): Promise<string> {
  await using file = await open(path, flag, OWN_MODE);
  const hash = createHash("sha256");
  await writeChunks(await client.download(image, { signal }), file, { start: 0, signal }, (chunk) => {
    hash.update(chunk);
    onBytes(chunk.length);
  });
  return hash.digest("hex");
}

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; )
    written += (await file.write(bytes, written, bytes.length - written, position + written)).bytesWritten;
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
