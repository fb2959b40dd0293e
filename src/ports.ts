/**
 * The ports. Glossary:
 *
 * - **album**, **image**: the records that clients see. An image belongs to one album and owns one blob.
 * - **blob**: bytes under a key `<sha256>.<random>`, which no other record ever adopts.
 * - **location**: where a blob is, an opaque string that only its store understands; it may change while the store runs.
 * - **change**: a write as a value (`domain/change.ts`): one transaction with its checks, rows and events.
 * - **log**: the append-only list of events; a **position** is an epoch and a sequence number in it.
 * - **watermark**: the log position that a listing reflects.
 * - **durable cursor**: a named reader of the log whose position is kept, and which holds retention back.
 * - **condemned**: a blob whose record is gone; the sweeper takes it after the **grace**.
 * - **unrecorded**: bytes in the store without a record; the sweeper takes those too.
 * - **variant**: a picture made from an image as a **spec** asks for it; a **picture** is that spec for one original.
 * - **lease**: the right to do what one node at a time does, such as to sweep; its **token** fences off former holders.
 * - **hold**: somebody reads the whole store (check, backup); nothing is destroyed meanwhile.
 */

import type { Album } from "./domain/album.ts";
import type { BlobMove } from "./domain/blob.ts";
import type { Change, ChangeResult, Idempotency } from "./domain/change.ts";
import type { EventType, LogPosition, SerializedCloudEvent, StoredEvent } from "./domain/event.ts";
import type { ContentType, Description, Image, ImageInfo, StoredContent, StoredImage } from "./domain/image.ts";
import type { AlbumOrderBy, Page, PageQuery } from "./domain/page.ts";
import type { Picture } from "./domain/variant.ts";

/**
 * Albums, images, the event log and who owns which bytes. Every failure is a StoreError: those that the change or query
 * documents, `busy` when too much waits, `unavailable` when the engine does not answer or the outcome is unknown,
 * `insufficient_storage` when the disk is full (then nothing was done).
 */
export interface Catalog extends AsyncDisposable {
  /** Made once, kept in the catalog: the source of every event, whatever node speaks. */
  readonly storeId: string;
  /** Whether other nodes write to it: then work of one node at a time goes by leases. */
  readonly shared: boolean;
  /** Durable when it resolves. Whoever reads after that sees it. */
  write<C extends Change>(change: C): Promise<ChangeResult<C>>;

  /** Live albums only; undefined when there is none. */
  album(name: string): Promise<Album | undefined>;
  albums(query: PageQuery<AlbumOrderBy>): Promise<Page<Album>>;
  /** Undefined when there is no such image, or its album is not live. */
  image(album: string, name: string): Promise<StoredImage | undefined>;
  imageById(id: string): Promise<StoredImage | undefined>;
  /** The same, of what it takes to answer with its bytes. */
  content(album: string, name: string): Promise<StoredContent | undefined>;
  contentById(id: string): Promise<StoredContent | undefined>;
  images(query: ImageQuery): Promise<Page<Image>>;

  /**
   * Events after a position, oldest first; without one, from the oldest kept. Rows, floor and head are of one snapshot.
   * @throws StoreError `cursor_unknown`: another epoch or beyond the head; `cursor_expired`: below, with `oldestCursor`
   */
  events(query: EventQuery): Promise<EventBatch>;
  log(): Promise<LogState>;
  cursors(): Promise<readonly DurableCursor[]>;
  /**
   * Calls back soon after new events may have become readable. A hint: it may come late, twice, for nothing or not at
   * all, so that whoever depends on it also polls. Answers the function that ends it.
   */
  onEvents(listener: () => void): () => void;

  /**
   * The newest images, in the order of their ids, without a description; `before` an id passes over those that cannot be
   * read for now. It looks at a bounded number: images of albums being deleted may hide others for a while.
   */
  undescribedImages(limit: number, before?: string): Promise<readonly UndescribedImage[]>;
  /** Whether an idempotency key has an answer in its scope. */
  hasAnswered(key: Pick<Idempotency, "scope" | "key">): Promise<boolean>;
  /** Albums that a `deleteAlbum` left to be finished. */
  albumsBeingDeleted(limit: number): Promise<readonly string[]>;
  /** Which of these blob keys have a row, in whatever state, and where it says that they are. */
  recordedBlobs(keys: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Which of these blob keys belong to an image. */
  liveBlobs(keys: readonly string[]): Promise<ReadonlySet<string>>;
  /** All blob rows in key order, for a check or a backup. */
  blobs(query: { afterKey?: string; limit: number }): Promise<readonly BlobRow[]>;
  totals(): Promise<Totals>;
  /** @throws StoreError `unavailable` when it cannot be read, or is known to take no changes now */
  probe(): Promise<void>;
}

export interface ImageQuery extends PageQuery {
  readonly albumId?: string;
  readonly contentType?: string;
  readonly tag?: string;
  readonly sha256?: string;
  /** Milliseconds since 1970, exclusive. */
  readonly createdAfter?: number;
  readonly createdBefore?: number;
  /** The same of {@link takenAtTime}; images without it do not pass. */
  readonly takenAfter?: number;
  readonly takenBefore?: number;
}

export interface UndescribedImage {
  readonly imageId: string;
  /** Of the bytes that are to be described. */
  readonly blobKey: string;
  readonly location: string;
  readonly size: number;
  readonly info: ImageInfo;
}

export interface EventQuery {
  readonly after?: LogPosition | undefined;
  readonly limit: number;
  readonly types?: readonly EventType[] | undefined;
  readonly albumId?: string | undefined;
}

export interface EventBatch {
  readonly events: readonly StoredEvent[];
  /** Where to go on: past the events that the filter left out too. */
  readonly next: LogPosition;
  /** True when nothing readable is left behind `next`. */
  readonly atEnd: boolean;
}

/** Events with `floor < seq ≤ head` are kept. Neither ever goes back. */
export interface LogState {
  readonly epoch: number;
  readonly floor: number;
  readonly head: number;
  /** Bytes of the events that are kept, roughly. */
  readonly bytes: number;
}

export interface DurableCursor {
  readonly name: string;
  readonly seq: number;
  readonly epoch: number;
  readonly lagEvents: number;
  /** Age of the oldest event that it has not passed, in seconds; 0 when there is none. */
  readonly lagSeconds: number;
  readonly updatedAt: string;
}

export interface BlobRow {
  readonly key: string;
  readonly location: string;
  readonly size: number;
  readonly sha256: string;
  readonly state: "pending" | "live" | "condemned" | "deleting";
}

export interface Totals {
  readonly albums: number;
  readonly images: number;
  readonly bytes: number;
}

/**
 * Bytes. Errors: `too_large` past the limit, `insufficient_storage`, `unavailable` when a write or a sync failed,
 * `blob_damaged` when what is read is not what was stored.
 */
export interface BlobStore extends AsyncDisposable {
  /** Whether other nodes write to it: then rows for what is on its way are needed (durability.md). */
  readonly shared: boolean;
  /**
   * Takes the bytes in one pass, hashing and counting. On any failure of source or store nothing is left. The result
   * must be committed or discarded. A chunk is the store's once it was taken: its memory may be freed.
   */
  stage(source: AsyncIterable<Uint8Array>, options: { maxBytes: number }): Promise<StagedBlob>;
  /** Makes it durable and answers its location. On failure it was discarded, or is left to the sweeper. */
  commit(staged: StagedBlob): Promise<string>;
  /** Safe to call at any time, also after a commit (then it does nothing). */
  discard(staged: StagedBlob): Promise<void>;
  /**
   * The change that records these keys was answered (whatever the answer), so that the sweeper may look at them. A key
   * is the store's own concern from `stage` until then.
   */
  settle(keys: readonly string[]): void;
  /** The bytes, or the part `[start, end)` of them. `size` is what the record says: other bytes are `blob_damaged`. */
  read(location: string, options: { size: number; range?: ByteRange }): Promise<BlobContent>;
  /**
   * For another process of this machine, for as long as `work` runs.
   * @throws StoreError `blob_damaged`; what `work` throws
   */
  lend<Result>(
    location: string,
    options: { size: number },
    work: (source: BlobSource) => Promise<Result>,
  ): Promise<Result>;
  /** Idempotent: what is gone already is gone. The bytes are gone from the disk when it resolves. */
  remove(location: string): Promise<void>;
  /**
   * Everything that lies in the store, committed or left behind, but for what `settle` was not called for yet. A key may
   * come with several locations: a copy that a crash left is the one that the catalog does not name. `tell` hears of
   * bytes that are no blob any more: torn by a crash, or damaged.
   */
  list(tell?: (bytes: UnreadableBytes) => void): AsyncIterable<FoundBlob>;
  /**
   * Gives space back: copies what lives in places that are mostly dead, has `move` record where it is now, and removes
   * what was moved there from. Where nothing is to be gained it does nothing. `move` answers the keys that it moved: those
   * whose row was at `from` and is not being deleted.
   */
  compact(move: (moves: readonly BlobMove[]) => Promise<readonly string[]>, signal: AbortSignal): Promise<void>;
  /**
   * Resolves when it can be written to; the free space in bytes where there is such a thing.
   * @throws StoreError `insufficient_storage` when there is too little of it for uploads
   */
  probe(): Promise<{ freeBytes: number | undefined }>;
}

export interface StagedBlob {
  readonly key: string;
  /** Where `commit` will put it, where the store is shared: the row for it goes in before. */
  readonly location?: string;
  readonly size: number;
  readonly sha256: string;
  /** Readable by this process and its children until commit or discard. */
  readonly source: BlobSource;
}

/** From `start` up to, not including, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What a web-standard Response takes as a body. A Blob is sent without a copy, which matters for what is asked for often. */
export type BlobContent = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | Blob;

export interface FoundBlob {
  readonly key: string;
  readonly location: string;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
}

/** `where` is for people. Size in bytes. */
export interface UnreadableBytes {
  readonly where: string;
  readonly size: number;
  readonly extent: Extent;
  /** Of those that can be removed, where they belong to nobody. */
  readonly remains?: Remains;
}

/** What is left of a blob, or of several. `location` is for {@link BlobStore.remove}. */
export interface Remains {
  readonly location: string;
  /** Whether it may be what is left of the blob there. */
  readonly isOf: (location: string) => boolean;
}

/** A part of a file, in bytes; the file may end before it. */
export interface Extent {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

/** What the headers of untrusted bytes say, never read in this process where the reader is native code. */
export interface Prober extends AsyncDisposable {
  /**
   * @throws StoreError `unsupported_image` for what is no accepted image, `invalid_image` for a broken one,
   * `image_too_large` past the pixel limit (summed over frames), `busy`
   */
  probe(source: BlobSource): Promise<ImageInfo>;
}

/** Bytes that a child process can read: a file, or, where there is none of their own, the bytes themselves (at most 1 MiB). */
export type BlobSource = { readonly path: string } | { readonly bytes: Uint8Array };

/**
 * Decoding of untrusted bytes, always in other processes. Each method: `invalid_image` with the member `reason`:
 * `undecodable` when the decoder says so, and will again; `time` or `memory` when it takes too much of them, which it may
 * not on a machine with less to do; `crash` when the process died, by the bytes' doing or another's. `image_too_large`
 * past the pixel limit, or that of the format asked for; `busy` when too much waits; `unavailable` when no process can be
 * started, or the bytes cannot be read. An aborted signal cancels what waits and kills what runs; then the rejection is
 * the signal's reason.
 */
export interface Renderer extends AsyncDisposable {
  /** Another version may make other pictures of the same {@link Picture}: part of every key, and of `v` in URLs. */
  readonly version: string;
  /**
   * Writes to `target`, which must not exist yet; after a failure it does not.
   * @throws StoreError `insufficient_storage`, `unavailable` when it cannot be written
   */
  render(source: BlobSource, picture: Picture, target: string, signal: AbortSignal): Promise<Rendered>;
  /** What only the pixels and the metadata tell. Waits behind every `render`. */
  describe(source: BlobSource, image: ImageInfo, signal: AbortSignal): Promise<Description>;
}

/** A file that a renderer wrote. Size in bytes. */
export interface Rendered {
  readonly contentType: ContentType;
  readonly size: number;
  readonly sha256: string;
}

/**
 * Rendered pictures of this node, least recently used first out under a budget of bytes. It may forget anything at any
 * time, and losing it loses nothing. It never throws for its own trouble on a read: then there is nothing there.
 */
export interface VariantCache extends AsyncDisposable {
  find(key: string): Variant | Refusal | undefined;
  /**
   * Has `make` write a file to the path that it is given, and keeps it. The answer can be read also when it is not kept,
   * since the budget is too small or a purge came between, until it is disposed of.
   * @throws what `make` throws
   */
  store(key: string, owner: VariantOwner, make: (path: string) => Promise<Rendered>): Promise<Variant>;
  /** Keeps that this picture cannot be made, so that it is not tried at each request. */
  refuse(key: string, owner: VariantOwner, refusal: Refusal): void;
  /**
   * Everything made of that image, but for what was made of the bytes `exceptSha256`. Gone from the disk when it resolves.
   * @throws StoreError `unavailable` when the disk refuses; what is left goes when it is called again
   */
  purge(imageId: string, exceptSha256?: string): Promise<void>;
  /**
   * Everything, the position too.
   * @throws StoreError `unavailable` when the disk refuses
   */
  clear(): Promise<void>;
  /** The log position up to which purges were applied; undefined for a new cache. Kept with the index. */
  position(): LogPosition | undefined;
  setPosition(position: LogPosition): void;
}

export interface VariantOwner {
  readonly imageId: string;
  /** Of the original. */
  readonly sha256: string;
}

export interface Variant extends Rendered, AsyncDisposable {
  /** @throws StoreError `unavailable` when it went meanwhile: make it again */
  read(range?: ByteRange): Promise<BlobContent>;
}

export interface Refusal {
  readonly code: "invalid_image";
  readonly message: string;
}

/** Where events go. */
export interface Publisher extends AsyncDisposable {
  /** What its cursor is named by. */
  readonly topic: string;
  /**
   * Sends in order (per `partitionkey`) and resolves when all are acknowledged. After an error some may have arrived:
   * the caller sends the batch again. Answers in bounded time, connects when it is first called, and again after an error.
   * @throws StoreError `unavailable`
   */
  publish(events: readonly SerializedCloudEvent[]): Promise<void>;
}
