/**
 * The four ports. Glossary:
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
 * - **hold**: somebody reads the whole store (check, backup); nothing is destroyed meanwhile.
 */
import type { Album } from "./domain/album.ts";
import type { Change, ChangeResult } from "./domain/change.ts";
import type { EventType, LogPosition, SerializedCloudEvent, StoredEvent } from "./domain/event.ts";
import type { Image, ImageInfo, StoredImage } from "./domain/image.ts";
import type { Page, PageQuery } from "./domain/page.ts";

/**
 * Albums, images, the event log and who owns which bytes. Every failure is a StoreError: those that the change or query
 * documents, `busy` when too much waits, `unavailable` when the engine does not answer or the outcome is unknown,
 * `insufficient_storage` when the disk is full (then nothing was done).
 */
export interface Catalog extends AsyncDisposable {
  /** Made once, kept in the catalog: the source of every event, whatever node speaks. */
  readonly storeId: string;
  /** Durable when it resolves. Whoever reads after that sees it. */
  write<C extends Change>(change: C): Promise<ChangeResult<C>>;

  /** Live albums only; undefined when there is none. */
  album(name: string): Promise<Album | undefined>;
  albums(query: PageQuery): Promise<Page<Album>>;
  /** Undefined when there is no such image, or its album is not live. */
  image(album: string, name: string): Promise<StoredImage | undefined>;
  imageById(id: string): Promise<StoredImage | undefined>;
  images(query: ImageQuery): Promise<Page<Image>>;

  /**
   * Events after a position, oldest first; without one, from the oldest kept. Rows, floor and head are of one snapshot.
   * @throws StoreError `cursor_unknown` for another epoch or beyond the head, `cursor_expired` below the floor (with
   * the member `oldestCursor`)
   */
  events(query: EventQuery): Promise<EventBatch>;
  log(): Promise<LogState>;
  cursors(): Promise<readonly DurableCursor[]>;
  /**
   * Calls back soon after new events may have become readable. A hint: it may come late, twice, for nothing or not at
   * all, so that whoever depends on it also polls. Answers the function that ends it.
   */
  onEvents(listener: () => void): () => void;

  /** Albums that a `deleteAlbum` left to be finished. */
  albumsBeingDeleted(limit: number): Promise<readonly string[]>;
  /** Which of these blob keys have a row, in whatever state. */
  recordedBlobs(keys: readonly string[]): Promise<ReadonlySet<string>>;
  /** All blob rows in key order, for a check or a backup. */
  blobs(query: { afterKey?: string; limit: number }): Promise<readonly BlobRow[]>;
  totals(): Promise<Totals>;
}

export interface ImageQuery extends PageQuery {
  readonly albumId?: string;
  readonly contentType?: string;
  readonly tag?: string;
  readonly sha256?: string;
  /** Milliseconds since 1970, exclusive. */
  readonly createdAfter?: number;
  readonly createdBefore?: number;
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
  readonly state: "live" | "condemned" | "deleting";
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
  /** Idempotent: what is gone already is gone. */
  remove(location: string): Promise<void>;
  /** Everything that lies in the store, committed or left behind, but for what `settle` was not called for yet. */
  list(): AsyncIterable<FoundBlob>;
  /**
   * Resolves when it can be written to; the free space in bytes where there is such a thing.
   * @throws StoreError `insufficient_storage` when there is too little of it for uploads
   */
  probe(): Promise<{ freeBytes: number | undefined }>;
}

export interface StagedBlob {
  readonly key: string;
  readonly size: number;
  readonly sha256: string;
  /** Readable by this process and its children until commit or discard. */
  readonly path: string;
}

/** From `start` up to, not including, `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What a web-standard Response takes as a body. */
export type BlobContent = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>;

export interface FoundBlob {
  readonly key: string;
  readonly location: string;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
}

/** Decoding of untrusted bytes, never in this process where a decoder is native code. */
export interface Renderer extends AsyncDisposable {
  /**
   * What the headers say.
   * @throws StoreError `unsupported_image` for what is no accepted image, `invalid_image` for a broken one,
   * `image_too_large` past the pixel limit (summed over frames), `busy`
   */
  probe(source: { path: string; size: number }): Promise<ImageInfo>;
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
