import type { Album } from "../domain/album.ts";
import { authorize, type Caller, isGuest, visibleAlbums } from "../domain/caller.ts";
import { albumNotFound, StoreError } from "../domain/errors.ts";
import type { PublicOriginals } from "../domain/variant.ts";
import type { BlobContent, ByteRange, Catalog } from "../ports.ts";
import { requireAlbum } from "./require-album.ts";
import { type ZipBytesDeps, type ZipSlots, zipBytes } from "./zip-bytes.ts";
import type { ZipPlanner } from "./zip-plan.ts";

export interface AlbumZipDeps extends ZipBytesDeps {
  readonly catalog: ZipBytesDeps["catalog"] & Pick<Catalog, "album">;
  readonly zipPlanner: ZipPlanner;
  readonly zipSlots: ZipSlots;
  readonly publicOriginals: PublicOriginals;
  /** A download that has begun ended with an error, which its client sees as a connection that was cut. */
  readonly onZipCut: (albumId: string, error: unknown) => void;
}

export interface AlbumZip {
  readonly name: string;
  readonly size: number;
  /** Stands for the bytes: archives with the same are equal. */
  readonly version: string;
  /** The bytes, or a range of them. They end with an error if the album no longer has the planned images. @throws StoreError `busy` */
  read(range?: ByteRange): Promise<BlobContent>;
}

interface AlbumZipRequest {
  readonly caller: Caller;
  /** Who the caller is when the archive begins. @throws StoreError `unauthorized` where it was revoked */
  readonly callerNow: () => Promise<Caller>;
  readonly album: string;
  readonly signal: AbortSignal;
}

/**
 * All images of an album as they were uploaded, in one archive.
 * @throws StoreError `album_not_found`, `forbidden`, `original_not_shared`, `busy`; the signal's reason
 */
export async function getAlbumZip(
  deps: AlbumZipDeps,
  { caller, callerNow, album: name, signal }: AlbumZipRequest,
): Promise<AlbumZip> {
  const { id } = await requireReadable(deps, caller, name);
  const plan = await deps.zipPlanner.plan(id, signal);
  // A request may wait for minutes behind others, in which an album is made private or the caller loses its rights.
  const album = await requireReadable(deps, await callerNow(), name);
  if (album.id !== id) throw albumNotFound();
  return {
    name: `${album.name}.zip`,
    size: plan.size,
    version: plan.sha256,
    read: (range = { start: 0, end: plan.size }) =>
      contentOf(zipBytes(deps, plan, range), range, {
        onError: (error) => deps.onZipCut(album.id, error),
        slots: deps.zipSlots,
        signal,
      }),
  };
}

async function requireReadable(deps: AlbumZipDeps, caller: Caller, name: string): Promise<Album> {
  const album = await requireAlbum(deps, caller, "read", name);
  authorize(caller, "originals", album);
  if (deps.publicOriginals !== "whole") await requireWholeOriginals(deps, caller, name);
  return album;
}

/** Without their location, images have other sizes, which are known only once each is rendered. */
async function requireWholeOriginals({ catalog }: AlbumZipDeps, caller: Caller, album: string): Promise<void> {
  const granted = visibleAlbums(caller, "read");
  const isGranted = granted === "all" || (await catalog.album(album, { ...granted, public: false })) !== undefined;
  if (isGranted && !isGuest(caller)) return;
  throw new StoreError(
    "original_not_shared",
    "The store gives the public only images without their location, one by one.",
  );
}

/** Up to this size the bytes are read whole, so that the response can be an error. */
const WHOLE_BYTES = 1024 * 1024;

interface Sending {
  readonly onError: (error: unknown) => void;
  readonly slots: ZipSlots;
  /** Aborts when the client has left. */
  readonly signal: AbortSignal;
}

async function contentOf(
  chunks: AsyncGenerator<Uint8Array, void>,
  { start, end }: ByteRange,
  sending: Sending,
): Promise<BlobContent> {
  return end - start > WHOLE_BYTES
    ? streamOf(chunks, sending)
    : Buffer.concat(await Array.fromAsync(chunks), end - start);
}

/** Resolves with the first chunk at hand, so an error before it is an error of the read and not of the stream. */
async function streamOf(
  chunks: AsyncGenerator<Uint8Array, void>,
  { onError, signal, slots }: Sending,
): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  signal.throwIfAborted();
  const slot = slots.take();
  const end = async () => {
    slot[Symbol.dispose]();
    signal.removeEventListener("abort", leave);
    await chunks.return();
  };
  // The runtime cancels no stream that it has not begun to send.
  const leave = () => void end().catch(() => undefined);
  signal.addEventListener("abort", leave, { once: true });
  const next = () =>
    chunks.next().catch(async (error: unknown) => {
      await end();
      throw error;
    });
  const following = () =>
    next().catch((error: unknown) => {
      onError(error);
      return undefined;
    });
  let first: IteratorResult<Uint8Array, void> | undefined = await next();
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const result = first ?? (await following());
        first = undefined;
        // Without a reason: the runtime would print it to standard error, beside the log.
        if (result === undefined) return controller.error();
        const { done, value } = result;
        if (done !== true) return controller.enqueue(value as Uint8Array<ArrayBuffer>);
        await end();
        controller.close();
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}
