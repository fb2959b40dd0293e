import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { StoreError } from "../../../client/src/index.ts";
import type { RemoteCall } from "./connection.ts";
import type { Progress } from "./progress.ts";
import { DEFAULT_UMASK, lostConnection, writeChunks } from "./receive-file.ts";

/** In a row, without a byte that arrives. */
const ATTEMPTS = 4;

interface Archive {
  readonly etag: string;
  readonly size: number;
}

/**
 * Downloads an album as a ZIP archive. The file gets its name when all bytes have arrived. What has arrived by then stays in a hidden
 * file beside it, and another run goes on there while the album has the same images.
 */
export async function receiveArchive(call: RemoteCall, progress: Progress, album: string, path: string): Promise<void> {
  const parts = partsOf(path);
  const found = await findArchive(call, album);
  const present = await parts.keepOnly(found.etag).then(({ size }) => size);
  const missing = Math.max(found.size - present, 0);
  progress.expect({ files: 1, bytes: missing });
  progress.expectNoMore();
  using receiving = progress.begin(missing);
  let archive: Archive | undefined = found;
  for (let failures = 0; ; ) {
    archive ??= await findArchive(call, album);
    const { path: part } = await parts.keepOnly(archive.etag);
    let received = 0;
    try {
      await using file = await open(part, constants.O_RDWR | constants.O_CREAT, 0o600);
      const isComplete = await receiveRest(call, album, archive, file, (bytes) => {
        received += bytes;
        receiving.moved(bytes);
      });
      if (isComplete) {
        await file.chmod(0o666 & ~(call.context.umask ?? DEFAULT_UMASK));
        await file.sync();
        return await rename(part, path);
      }
    } catch (error) {
      if (!(error instanceof StoreError) || error.status !== 0) throw error;
      failures = received > 0 ? 1 : failures + 1;
      if (failures === ATTEMPTS) throw error;
    }
    archive = undefined;
  }
}

/** What the store would send now. */
async function findArchive({ client, signal }: RemoteCall, album: string): Promise<Archive> {
  const response = await client.downloadAlbum(album, { range: { start: 0, end: 0 }, signal });
  await response.body?.cancel();
  const etag = response.headers.get("etag");
  const size = Number(response.headers.get("content-range")?.split("/")[1]);
  if (etag === null || !Number.isSafeInteger(size)) throw new Error("the response has no size or no ETag");
  return { etag, size };
}

/** Returns false if the archive has changed since it was looked at. */
async function receiveRest(
  { client, signal }: RemoteCall,
  album: string,
  { etag, size }: Archive,
  file: FileHandle,
  onBytes: (count: number) => void,
): Promise<boolean> {
  let start = (await file.stat()).size;
  if (start > size) await file.truncate((start = 0));
  if (start === size) return true;
  const response = await client.downloadAlbum(album, { range: { start }, etag, signal });
  if (response.status !== 206) {
    await response.body?.cancel();
    return false;
  }
  const end = await writeChunks(response, file, { start, signal }, ({ length }) => onBytes(length));
  if (end !== size) throw lostConnection();
  return true;
}

const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);

/** Files beside the archive with the beginning of it, one for each ETag. */
function partsOf(path: string) {
  const folder = dirname(path);
  const beginning = `.image-store-${digestOf(basename(path))}-`;
  return {
    /** Finds the part, which may not be there yet, and removes those of earlier archives. */
    async keepOnly(etag: string): Promise<{ readonly path: string; readonly size: number }> {
      const name = `${beginning}${digestOf(etag)}.zip.part`;
      for (const other of await readdir(folder))
        if (other.startsWith(beginning) && other !== name) await rm(join(folder, other), { force: true });
      const part = join(folder, name);
      return { path: part, size: Bun.file(part).size };
    },
  };
}
