/** The ports: what an adapter must do. CONTRIBUTING.md has a glossary of their terms. */

import type { Album } from "./domain/album.ts";
import type { BlobMove, FoundBlob, UnreadableBytes } from "./domain/blob.ts";
import type { Change, ChangeResult, Idempotency } from "./domain/change.ts";
import type { DurableCursor, LogPosition, LogState, RefusedEvent, SerializedCloudEvent } from "./domain/event.ts";
import type { ContentType } from "./domain/formats.ts";
import type { Description, Image, ImageInfo, StoredContent, StoredImage } from "./domain/image.ts";
import type { OwnedBlobs } from "./domain/owned-blobs.ts";
import type { Page } from "./domain/page.ts";
import type { RenderPlan } from "./domain/variant.ts";
import type { Visibility } from "./domain/visibility.ts";
import type { AccessCatalog } from "./ports/access.ts";
import type {
  BlobRow,
  DescribeBacklogState,
  EventBatch,
  EventQuery,
  Totals,
  UndescribedImage,
  UndescribedQuery,
} from "./ports/catalog-answers.ts";
import type { AlbumQuery, CompactListings, ImageQuery } from "./ports/listings.ts";
import type { WebhookCatalog } from "./ports/webhooks.ts";

export type {
  BlobRow,
  DescribeBacklogState,
  EventBatch,
  EventQuery,
  Totals,
  UndescribedImage,
  UndescribedQuery,
} from "./ports/catalog-answers.ts";
export type { AlbumQuery, FilesQuery, ImageFile, ImageQuery, KnownImage, KnownQuery } from "./ports/listings.ts";

/**
 * Albums, images, the event log and who owns which bytes. Every failure is a StoreError: those that the change or query
 * documents, `busy` when too much waits, `unavailable` when the engine does not answer or the outcome is unknown,
 * `insufficient_storage` when the disk is full (then nothing was done).
 */
export interface Catalog extends AccessCatalog, CompactListings, WebhookCatalog, AsyncDisposable {
  /** Made once, kept in the catalog: the source of every event, whatever node speaks. */
  readonly storeId: string;
  /** Whether other nodes write to it: then work of one node at a time goes by leases. */
  readonly shared: boolean;
  /** Durable when it resolves. Every later read sees it. */
  write<C extends Change>(change: C): Promise<ChangeResult<C>>;

  /** Of live albums, those that are visible; undefined when there is none. */
  album(name: string, visibility: Visibility): Promise<Album | undefined>;
  albums(query: AlbumQuery): Promise<Page<Album>>;
  /** Undefined when there is no such image, or its album is not live and visible. */
  image(album: string, name: string, visibility: Visibility): Promise<StoredImage | undefined>;
  imageById(id: string, visibility: Visibility): Promise<StoredImage | undefined>;
  /** The same, of what it takes to answer with its bytes. */
  content(album: string, name: string, visibility: Visibility): Promise<StoredContent | undefined>;
  contentById(id: string, visibility: Visibility): Promise<StoredContent | undefined>;
  images(query: ImageQuery): Promise<Page<Image>>;

  /**
   * Events after a position, oldest first; without one, from the oldest kept. Events and the log's state are of one snapshot.
   * Where not all albums are visible it looks at a bounded number of events, and may return fewer than there are.
   * @throws StoreError `cursor_unknown`: another epoch or beyond the head; `cursor_expired`: below, with `oldestCursor`
   */
  events(query: EventQuery): Promise<EventBatch>;
  log(): Promise<LogState>;
  /** All, or the one of that name, if there is one. Their lag counts events that cannot be read yet. */
  cursors(name?: string): Promise<readonly DurableCursor[]>;
  /** Age in seconds of the oldest event that was committed and cannot be read yet; 0 when there is none. */
  unreadableSeconds(): Promise<number>;
  /**
   * Calls back soon after new events may have become readable. A hint: it may come late, twice, for nothing or not at
   * all, so a dependent reader also polls. Returns the function that ends it.
   */
  onEvents(listener: () => void): () => void;

  /**
   * Images without a description, in the order of their ids, which is that of age. It looks at a bounded number: images of
   * albums being deleted may hide others for a while.
   */
  undescribedImages(query: UndescribedQuery): Promise<readonly UndescribedImage[]>;
  /** How many images have no description yet. */
  describeBacklog(): Promise<DescribeBacklogState>;
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

/** In bytes. */
export interface StageLimits {
  readonly maxBytes: number;
  /** As the client declares it: a hint, not to gather in memory what will be a file. */
  readonly size?: number;
}

/**
 * Where the bytes of images are. Errors: `too_large` past the limit, `insufficient_storage`, `unavailable` when a write or a
 * sync failed, `blob_damaged` when the bytes are missing or not those that were stored.
 */
export interface BlobStore extends OwnedBlobs, Partial<CompactableBlobs>, AsyncDisposable {
  /** Whether other nodes write to it. Then the row of a blob is written before its bytes (docs/durability.md). */
  readonly shared: boolean;
  /**
   * Reads the source once, hashing and counting. A failure of the source or the store leaves nothing behind. The caller
   * must commit or discard the result. The store owns each chunk that it was given, and may free its memory.
   */
  stage(source: AsyncIterable<Uint8Array>, options: StageLimits): Promise<StagedBlob>;
  /**
   * As `stage`, of the bytes of a blob that is in the store: it copies them itself where it can, by the commit at the latest.
   * @param original as its record says. If it is known to have other bytes, it is `blob_damaged`
   */
  stageCopy(location: string, original: Pick<StagedBlob, "size" | "sha256">): Promise<StagedCopy>;
  /** Makes the blob durable and returns its location. After a failure it is discarded, or left to the sweeper. */
  commit(staged: StagedCopy): Promise<string>;
  /** May be called at any time; after a commit it does nothing. */
  discard(staged: StagedCopy): Promise<void>;
  /**
   * Lets `list` show these keys, and so the sweeper remove them. Call it once the change that records them has succeeded or
   * failed: from `stage` until then, `list` leaves them out.
   */
  release(keys: readonly string[]): void;
  /** Returns the bytes, or a range of them. `size` is the size in the record: a blob of another size is `blob_damaged`. */
  read(location: string, options: { size: number; range?: ByteRange }): Promise<BlobContent>;
  /**
   * Opens the blob for another process of this machine: as a file, or as bytes if it is small.
   * @throws StoreError `blob_damaged`
   */
  openLocal(location: string, options: { size: number }): Promise<LocalBlob>;
  /** Idempotent. The bytes are gone from the disk when it resolves. */
  remove(location: string): Promise<void>;
  /**
   * Yields every blob in the store, also those that a crash left without a record, except keys that are not released. A key
   * may come with several locations: the one that the catalog does not name is a copy that a crash left. `tell` is called
   * with bytes that are no readable blob: torn by a crash, or damaged.
   */
  list(tell?: (bytes: UnreadableBytes) => void): AsyncIterable<FoundBlob>;
  /**
   * Resolves when the store accepts writes. `freeBytes` is undefined where the store has no free space to measure.
   * @throws StoreError `insufficient_storage` when there is too little free space for uploads
   */
  probe(): Promise<{ freeBytes: number | undefined }>;
}

/** A capability of stores whose removed blobs leave space behind that has to be reclaimed. */
export interface CompactableBlobs {
  /**
   * Reclaims space: copies the live blobs out of places that are mostly dead, passes the copies to `move`, then removes
   * the originals. It does nothing when there is nothing to gain. `move` records the new locations and returns the keys
   * that it moved: those whose row was at `from` and is not being deleted.
   */
  compact(move: (moves: readonly BlobMove[]) => Promise<readonly string[]>, signal: AbortSignal): Promise<void>;
}

export interface StagedBlob {
  readonly key: string;
  /** Where `commit` will put it. Set by shared stores, for the row that is written before the bytes. */
  readonly location?: string;
  readonly size: number;
  readonly sha256: string;
  readonly crc32: number;
  /** This process and its children can read it until commit or discard. */
  readonly source: BlobSource;
}

/** A copy of a blob, which may have no bytes yet. */
export interface StagedCopy extends Omit<StagedBlob, "source" | "crc32"> {
  /** Absent where the bytes were not read. */
  readonly crc32?: number;
}

/** Stays readable until it is disposed of, which never fails. */
export interface LocalBlob extends AsyncDisposable {
  readonly source: BlobSource;
}

/** In bytes; `end` is exclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A body of a web-standard Response. A Blob is sent without a copy, which matters for content that is requested often. */
export type BlobContent = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | Blob;

export type { Extent, FoundBlob, OrphanedExtent, UnreadableBytes } from "./domain/blob.ts";

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
 * `undecodable` when the decoder says so, and will again; `time` or `memory` when it takes too much of them, where time is
 * the processor's and not the clock's; `crash` when the decoder broke down. `image_too_large` past the pixel limit, or that
 * of the format asked for; `busy` when too much waits; `unavailable` when no process can be started or the bytes cannot be
 * read, and with `reason: "stalled"` when the machine had no time for it. An aborted signal cancels what waits and kills what runs; then the rejection is
 * the signal's reason.
 */
export interface Renderer extends AsyncDisposable {
  /** Another version may render other bytes from the same {@link RenderPlan}: part of every key, and of `v` in URLs. */
  readonly version: string;
  /**
   * Writes to `target`, which must not exist yet; after a failure it does not.
   * @throws StoreError `insufficient_storage`, `unavailable` when it cannot be written
   */
  render(source: BlobSource, plan: RenderPlan, target: string, signal: AbortSignal): Promise<Rendered>;
  /** What only the pixels and the metadata tell. It runs when the processor has nothing else to do. */
  describe(source: BlobSource, image: ImageInfo, signal: AbortSignal): Promise<Description>;
}

/** A file that a renderer wrote. Size in bytes. */
export interface Rendered {
  readonly contentType: ContentType;
  readonly size: number;
  readonly sha256: string;
}

/**
 * Rendered variants of this node, under a budget of bytes: the least recently used are evicted first. It may forget any
 * variant at any time, and losing all of them loses nothing. When the cache itself fails, `find` returns undefined.
 */
export interface VariantCache extends AsyncDisposable {
  find(key: string): Variant | Refusal | undefined;
  /**
   * Begins a variant. The caller writes its file, keeps it or not, and disposes of the draft.
   * @throws StoreError `insufficient_storage`, `unavailable` when the disk refuses
   */
  begin(key: string, owner: VariantOwner): Promise<VariantDraft>;
  /** Remembers that this variant cannot be rendered, so not every request tries again. */
  refuse(key: string, owner: VariantOwner, refusal: Refusal): void;
  /**
   * Removes all variants of that image, except those of the original `exceptSha256`. They are gone from the disk when it
   * resolves.
   * @throws StoreError `unavailable` when the disk refuses; call it again to remove what is left
   */
  purge(imageId: string, exceptSha256?: string): Promise<void>;
  /**
   * Removes everything, the position too.
   * @throws StoreError `unavailable` when the disk refuses
   */
  clear(): Promise<void>;
  /** The log position up to which purges were applied, kept with the index; undefined for a new cache. */
  position(): LogPosition | undefined;
  setPosition(position: LogPosition): void;
}

/** A variant that is being rendered. Disposing of it removes its file unless it was kept, and never fails. */
export interface VariantDraft extends AsyncDisposable {
  /** Where to write the file. There is none yet. */
  readonly path: string;
  /**
   * Moves the file that was written into the cache. Where it is not kept there, because the budget is too small or a purge
   * came since the draft began, the result can still be read until it is disposed of. Call it once.
   */
  keep(rendered: Rendered): Promise<Variant>;
}

export interface VariantOwner {
  readonly imageId: string;
  /** The digest of the original. */
  readonly sha256: string;
}

export interface Variant extends Rendered, AsyncDisposable {
  /** @throws StoreError `unavailable` when it was removed meanwhile: render it again */
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
   * the caller sends the batch again. Settles in bounded time, connects when it is first called, and again after an error.
   * An event that is too large is sent with less of its data, and `truncated: true` in it.
   * @param onRefused told at the end of each event that is too large in every form, and was passed over
   * @throws StoreError `unavailable`
   */
  publish(events: readonly SerializedCloudEvent[], onRefused?: (refused: RefusedEvent) => void): Promise<void>;
}
