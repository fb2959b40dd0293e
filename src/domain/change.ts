import type { Album, AlbumFields, AlbumPatch } from "./album.ts";
import type { BlobRef, NewBlob } from "./blob.ts";
import type { Description, Image, ImageFields, ImageInfo, ImagePatch } from "./image.ts";
import type { LinkKey } from "./link.ts";
import type {
  AcquireLease,
  AdvanceCursor,
  BeginBlobDeletion,
  ClaimUnrecorded,
  DeleteCursor,
  FinishBlobDeletion,
  Hold,
  MoveBlobs,
  PruneEvents,
  PruneIdempotency,
  RegisterCursor,
  ReleaseHold,
  ReleaseLease,
  RenewEpoch,
  ReserveBlobs,
} from "./upkeep.ts";

/**
 * A write is a value: it can be sent to a thread, batched, retried and replayed. Each is one transaction of checks, rows,
 * events and idempotency record; nothing else writes events, so none is stored without its change, nor a change without
 * its event. Ids are made by whoever makes the change, so that a retry stores the same; times are the database's.
 */
export type Change = AnyChange & Fenced;

type AnyChange =
  | CreateAlbum
  | PutAlbum
  | UpdateAlbum
  | DeleteAlbum
  | DeleteAlbumChunk
  | PutImages
  | UpdateImage
  | DeleteImage
  | DescribeImage
  | EnsureLinkKey
  | RegisterCursor
  | AdvanceCursor
  | DeleteCursor
  | PruneEvents
  | PruneIdempotency
  | RenewEpoch
  | AcquireLease
  | ReleaseLease
  | ReserveBlobs
  | ClaimUnrecorded
  | BeginBlobDeletion
  | FinishBlobDeletion
  | MoveBlobs
  | Hold
  | ReleaseHold;

export interface ChangeResults {
  createAlbum: Replayable<Album>;
  putAlbum: { readonly created: boolean; readonly album: Album };
  updateAlbum: Album;
  deleteAlbum: { readonly done: boolean };
  deleteAlbumChunk: { readonly done: boolean };
  putImages: Replayable<readonly PutImage[]>;
  updateImage: Image;
  deleteImage: null;
  describeImage: { readonly applied: boolean };
  ensureLinkKey: LinkKey;
  registerCursor: { readonly seq: number; readonly epoch: number };
  advanceCursor: { readonly known: boolean };
  deleteCursor: null;
  pruneEvents: { readonly pruned: number; readonly cursorsGivenUp: readonly string[]; readonly more: boolean };
  pruneIdempotency: { readonly pruned: number };
  renewEpoch: { readonly epoch: number | null };
  acquireLease: { readonly token: number | null };
  releaseLease: null;
  reserveBlobs: null;
  claimUnrecorded: { readonly claimed: number };
  beginBlobDeletion: readonly BlobRef[];
  finishBlobDeletion: null;
  moveBlobs: { readonly moved: readonly string[] };
  hold: null;
  releaseHold: null;
}
export type ChangeResult<C extends AnyChange> = ChangeResults[C["type"]];

/** The first answer again, when the change carried an idempotency key that was used before for the same request. */
export interface Replayable<Value> {
  readonly replayed: boolean;
  readonly value: Value;
}

/**
 * Scope is principal, method and path; fingerprint covers the query and the content. The row is inserted as the first
 * statement of the transaction, so that a racing node waits there and then replays.
 * Another fingerprint under a known key: `idempotency_key_reused`.
 */
export interface Idempotency {
  readonly scope: string;
  readonly key: string;
  readonly fingerprint: string;
}

/** A record's version as its ETag names it; an id is part of it, since a name may be used again. */
export interface RecordVersion {
  readonly id: string;
  readonly revision: number;
}

/**
 * RFC 9110 preconditions, evaluated inside the transaction. `Tag` is a {@link RecordVersion} for records and a digest
 * (hex) for content. `*` means any that exists. A failed one is `precondition_failed`.
 */
export interface Preconditions<Tag> {
  readonly ifMatch?: "*" | readonly Tag[];
  readonly ifNoneMatch?: "*" | readonly Tag[];
}

interface Traced {
  /** W3C trace context of the request; kept in the event. */
  readonly traceparent?: string;
}

/** The right to do what one node at a time does; a later holder has a higher token. */
export interface Fence {
  readonly lease: string;
  readonly token: number;
}

interface Fenced {
  /** Checked in the transaction: `lease_lost`, and nothing is done, when somebody else has had the lease since. */
  readonly fence?: Fence;
}

/** `album_exists` when a live album has the name. */
export interface CreateAlbum extends Traced {
  readonly type: "createAlbum";
  readonly id: string;
  readonly name: string;
  readonly fields: AlbumFields;
  readonly idempotency?: Idempotency;
}

/** Creates, or replaces all client fields of the live album of that name. */
export interface PutAlbum extends Traced {
  readonly type: "putAlbum";
  /** Used when there is none yet. */
  readonly id: string;
  readonly name: string;
  readonly fields: AlbumFields;
  readonly preconditions?: Preconditions<RecordVersion>;
}

/** `album_not_found`; `album_exists` when it renames to a name that is taken. No event when nothing changes. */
export interface UpdateAlbum extends Traced {
  readonly type: "updateAlbum";
  readonly albumId: string;
  readonly patch: AlbumPatch;
  readonly preconditions?: Preconditions<RecordVersion>;
}

/**
 * `album_not_found`; `album_not_empty` unless recursive. Up to `chunk` images go at once (`done`); above that the album
 * is `deleting` from now on (404, its name free), and `deleteAlbumChunk` finishes it.
 */
export interface DeleteAlbum extends Traced {
  readonly type: "deleteAlbum";
  readonly albumId: string;
  readonly recursive: boolean;
  /** Default 20,000. */
  readonly atOnce?: number;
  readonly preconditions?: Preconditions<RecordVersion>;
}

/** Takes the next images of an album that is being deleted; the album's own event is the last. Safe to repeat. */
export interface DeleteAlbumChunk {
  readonly type: "deleteAlbumChunk";
  readonly albumId: string;
  readonly limit: number;
}

export interface ImageToPut {
  /** Used when there is none of that name yet. */
  readonly id: string;
  readonly name: string;
  /** Absent: empty on a new image, kept on a replaced one. */
  readonly fields?: ImageFields;
  readonly info: ImageInfo;
  readonly blob: NewBlob;
}

/**
 * All or none. `create` refuses a name that is taken (`image_exists`); `put` replaces the bytes of the image that has it.
 * Bytes equal to what is stored swap in the new blob (so that a damaged copy is healed by uploading again), but keep
 * revision and times and make no event. `album_not_found` when the album is not live.
 */
export interface PutImages extends Traced {
  readonly type: "putImages";
  /** null where no album of the name is live: then only a known idempotency key is answered. */
  readonly albumId: string | null;
  readonly mode: "create" | "put";
  readonly images: readonly ImageToPut[];
  /** For `put` of one image. `ifMatch` on a missing image fails. */
  readonly preconditions?: Preconditions<string>;
  readonly idempotency?: Idempotency;
}

export interface PutImage {
  readonly created: boolean;
  readonly image: Image;
}

/** `album_not_found`, `image_not_found`; `image_exists` when it renames to a name that is taken. */
export interface UpdateImage extends Traced {
  readonly type: "updateImage";
  readonly albumId: string;
  readonly name: string;
  readonly patch: ImagePatch;
  readonly preconditions?: Preconditions<RecordVersion>;
}

/** `album_not_found`, `image_not_found`. */
export interface DeleteImage extends Traced {
  readonly type: "deleteImage";
  readonly albumId: string;
  readonly name: string;
  readonly preconditions?: Preconditions<RecordVersion>;
}

/**
 * What the pixels and metadata of that blob told. Not applied when the image has another blob by now, or is gone, or its
 * album is. Revision and `updatedAt` stay. No event when nothing changes.
 */
export interface DescribeImage {
  readonly type: "describeImage";
  readonly imageId: string;
  readonly blobKey: string;
  readonly description: Description;
}

/** Keeps this key for signed links where there is none yet; answers the one that is kept. */
export interface EnsureLinkKey extends LinkKey {
  readonly type: "ensureLinkKey";
}
