import type { AccessChange, AccessChangeResults } from "./access-changes.ts";
import type { Album, AlbumPatch, AlbumWish } from "./album.ts";
import type { BatchOutcome, RunBatch } from "./batch.ts";
import type { BlobRef, NewBlob } from "./blob.ts";
import type { LogPosition } from "./event.ts";
import type { Description, Image, ImageFields, ImageInfo, ImagePatch } from "./image.ts";
import type { LinkKey } from "./link.ts";
import type {
  AcquireLease,
  AdvanceCursor,
  AlignRecords,
  BeginBlobDeletion,
  ClaimUnrecorded,
  DeleteCursor,
  FinishBlobDeletion,
  Hold,
  MoveBlobs,
  PruneEvents,
  PruneIdempotency,
  RecordChecksums,
  RecountUsage,
  RegisterCursor,
  ReleaseHold,
  ReleaseLease,
  RenewEpoch,
  ReserveBlobs,
  RewindCursor,
} from "./maintenance.ts";
import type { Quota, QuotaLimits, QuotaScope } from "./quota.ts";
import type { IfExists } from "./request-types.ts";
import type { Idempotency, Preconditions, RecordVersion, Replayable, Requested, RightOnAlbums } from "./requested.ts";
import type { Visibility } from "./visibility.ts";
import type { WebhookChange, WebhookChangeResults } from "./webhook-changes.ts";

export { IF_EXISTS, type IfExists } from "./request-types.ts";
export type { Idempotency, Preconditions, RecordVersion, Replayable, Requested, Requester } from "./requested.ts";

/**
 * A write is a value: it can be sent to a thread, batched, retried and replayed. Each is one transaction of checks, rows,
 * events and idempotency record; nothing else writes events, so none is stored without its change, nor a change without
 * its event. The caller makes the ids, so a retry stores the same; times are the database's.
 */
export type Change = AnyChange & Fenced;

type AnyChange =
  | AccessChange
  | WebhookChange
  | CreateAlbum
  | PutAlbum
  | UpdateAlbum
  | DeleteAlbum
  | DeleteAlbumChunk
  | PutImages
  | UpdateImage
  | DeleteImage
  | MoveImage
  | DescribeImage
  | ForgetDescription
  | EnsureLinkKey
  | RegisterCursor
  | AdvanceCursor
  | RewindCursor
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
  | RecordChecksums
  | AlignRecords
  | Hold
  | ReleaseHold
  | SetQuota
  | RecountUsage
  | RunBatch;

export interface ChangeResults extends AccessChangeResults, WebhookChangeResults {
  createAlbum: Replayable<Album>;
  putAlbum: { readonly created: boolean; readonly album: Album };
  updateAlbum: Album;
  deleteAlbum: { readonly done: boolean };
  deleteAlbumChunk: { readonly done: boolean };
  putImages: Replayable<readonly PutImage[]>;
  updateImage: Image;
  deleteImage: null;
  moveImage: Replayable<Image>;
  describeImage: { readonly applied: boolean };
  forgetDescription: Image;
  ensureLinkKey: LinkKey;
  registerCursor: { readonly seq: number; readonly epoch: number; readonly version: number };
  advanceCursor: { readonly known: boolean; readonly rewound: boolean; readonly version: number };
  rewindCursor: LogPosition;
  deleteCursor: null;
  pruneEvents: { readonly pruned: number; readonly droppedCursors: readonly string[]; readonly more: boolean };
  pruneIdempotency: { readonly pruned: number };
  renewEpoch: { readonly epoch: number | null };
  acquireLease: { readonly token: number | null };
  releaseLease: null;
  reserveBlobs: null;
  claimUnrecorded: { readonly claimed: number };
  beginBlobDeletion: readonly BlobRef[];
  finishBlobDeletion: null;
  moveBlobs: { readonly moved: readonly string[] };
  recordChecksums: { recorded: number };
  alignRecords: null;
  hold: null;
  releaseHold: null;
  setQuota: Quota | null;
  recountUsage: { readonly corrected: number };
  runBatch: Replayable<readonly BatchOutcome[]>;
}
export type ChangeResult<C extends AnyChange> = ChangeResults[C["type"]];

/** The right to do what one node at a time does; a later holder has a higher token. */
export interface Fence {
  readonly lease: string;
  readonly token: number;
}

interface Fenced {
  /** Checked in the transaction: `lease_lost`, and nothing is done, when another holder has had the lease since. */
  readonly fence?: Fence;
}

/** `album_exists` when a live album has the name. This and the next two: `forbidden` to make it public, or private again, without {@link Requester.shared}. */
export interface CreateAlbum extends Requested {
  readonly type: "createAlbum";
  readonly id: string;
  readonly name: string;
  readonly fields: AlbumWish;
  readonly idempotency?: Idempotency;
}

/** Creates, or replaces all client fields of the live album of that name. */
export interface PutAlbum extends Requested {
  readonly type: "putAlbum";
  /** Used when there is none yet. */
  readonly id: string;
  readonly name: string;
  readonly fields: AlbumWish;
  readonly preconditions?: Preconditions<RecordVersion>;
}

/**
 * `album_not_found`; `album_exists` when it renames to a name that is taken; `forbidden` when a rename would give a right of `named`
 * to the requester. No event when nothing changes.
 */
export interface UpdateAlbum extends Requested {
  readonly type: "updateAlbum";
  readonly albumId: string;
  readonly patch: AlbumPatch;
  /** What the requester has by names of albums. Absent: nothing, or everything. */
  readonly named?: readonly RightOnAlbums[];
  readonly preconditions?: Preconditions<RecordVersion>;
}

/**
 * `album_not_found`; `album_not_empty` unless recursive. Up to `chunk` images go at once (`done`); above that the album
 * is `deleting` from now on (404, its name free), and `deleteAlbumChunk` finishes it.
 */
export interface DeleteAlbum extends Requested {
  readonly type: "deleteAlbum";
  readonly albumId: string;
  readonly recursive: boolean;
  /** Default {@link DELETED_AT_ONCE}. */
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
  /** Where the bytes were copied from. The description is copied too. */
  readonly copyOf?: CopySource;
}

/** `image_not_found` when the image is gone, has other bytes than the copy, or is in none of the albums any more. */
export interface CopySource {
  readonly imageId: string;
  readonly readable: Visibility;
  /** Whether the event says it. */
  readonly isNamed: boolean;
}

/**
 * All or none. `create` refuses names that are taken (`image_exists`, with an entry in `errors` for each); `put` replaces the bytes of the image that has it.
 * Bytes equal to what is stored swap in the new blob (so that a damaged copy is healed by uploading again), but keep
 * revision and times and make no event. `album_not_found` when the album is not live.
 */
export interface PutImages extends Requested {
  readonly type: "putImages";
  /** null where no album of the name is live: then only a known idempotency key is answered. */
  readonly albumId: string | null;
  readonly mode: "create" | "put";
  /** Of `put`: `forbidden` where it would change an image that is there. */
  readonly addOnly?: boolean;
  readonly images: readonly ImageToPut[];
  /** For `put` of one image. `ifMatch` on a missing image fails. */
  readonly preconditions?: Preconditions<string>;
  readonly idempotency?: Idempotency;
  /**
   * The id of the upload ticket that each image uses up. `ticket_not_found` when it is gone, `ticket_used` when fewer
   * uploads are left.
   */
  readonly ticket?: string;
}

export interface PutImage {
  readonly created: boolean;
  readonly image: Image;
}

/** `album_not_found`, `image_not_found`; `image_exists` when it renames to a name that is taken. */
export interface UpdateImage extends Requested {
  readonly type: "updateImage";
  readonly albumId: string;
  readonly name: string;
  readonly patch: ImagePatch;
  readonly preconditions?: Preconditions<RecordVersion>;
}

/** `album_not_found`, `image_not_found`. */
export interface DeleteImage extends Requested {
  readonly type: "deleteImage";
  readonly albumId: string;
  readonly name: string;
  readonly preconditions?: Preconditions<RecordVersion>;
}

/**
 * Gives an image another album, another name or both; id, bytes, fields and `createdAt` stay. In its album it is renamed. In another
 * one it is created there, after it was deleted where it was: two events, so that the readers of each album hear of it, and
 * those of one album hear nothing of the other. `album_not_found`, `image_not_found`; `image_exists`; `quota_exceeded`, of the album only;
 * `forbidden` to replace an image without the right. No event when nothing changes.
 */
export interface MoveImage extends Requested {
  readonly type: "moveImage";
  /** null where no album of the name is live: then only a known idempotency key is answered. So too that of the target. */
  readonly albumId: string | null;
  readonly name: string;
  /** Albums whose images the requester may read as they were uploaded; the others are not found. Absent: all. */
  readonly readable?: Visibility;
  readonly target: MoveTarget;
  readonly ifExists: IfExists;
  readonly preconditions?: Preconditions<RecordVersion>;
  readonly idempotency?: Idempotency;
}

export interface MoveTarget {
  readonly albumId: string | null;
  /** Absent: the name that it has. */
  readonly name?: string;
  /** Albums to which the requester may add images; the others are not found. Absent: all. */
  readonly addable?: Visibility;
  /** Albums of which it may replace images. Absent: all. */
  readonly replaceable?: Visibility;
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

/**
 * The image loses its description, and gets another when its turn comes. Returns the record; no event when it had none.
 * Revision and `updatedAt` stay. `image_not_found`, also where its album is being deleted.
 */
export interface ForgetDescription extends Requested {
  readonly type: "forgetDescription";
  readonly imageId: string;
}

/** Sets, replaces or (null) removes a quota. `album_not_found`; `key_not_found`; `quota_not_found` when there is none to remove. */
export interface SetQuota extends Requested {
  readonly type: "setQuota";
  readonly scope: QuotaScope;
  readonly limits: QuotaLimits | null;
}

/** Keeps this key for signed links where there is none yet; returns the one that is kept. */
export interface EnsureLinkKey extends LinkKey {
  readonly type: "ensureLinkKey";
}
