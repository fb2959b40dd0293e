import type { Album } from "./album.ts";
import type { Caller, Grant } from "./caller.ts";
import type { SerializedError } from "./errors.ts";
import type { Image, ImagePatch } from "./image.ts";
import type {
  AlbumCreation,
  AlbumDeletion,
  AlbumUpdate,
  Conditional,
  ImageMove,
  ImageTarget,
} from "./request-types.ts";
import type { Idempotency } from "./requested.ts";

export const MAX_BATCH_OPERATIONS = 1000;
/** Images of albums that one change deletes at once; a batch divides them among its deletions. */
export const DELETED_AT_ONCE = 20_000;

/** What a request of its own may ask for, by names: what they stand for is found out in the transaction. */
export type BatchOperation =
  | (AlbumCreation & { readonly type: "createAlbum" })
  | (AlbumCreation & Conditional & { readonly type: "putAlbum" })
  | (AlbumUpdate & { readonly type: "updateAlbum" })
  | (AlbumDeletion & { readonly type: "deleteAlbum" })
  | (ImageTarget & { readonly type: "updateImage"; readonly patch: ImagePatch })
  | (ImageTarget & { readonly type: "deleteImage" })
  | (ImageMove & { readonly type: "moveImage" })
  | { readonly type: "describeImage"; readonly id: string };

/**
 * Runs the operations in order, each as the change of its own request: it sees what the operations before it did, and is judged
 * by the caller's rights. `atomic`: throws the error of the first one that fails, with its place as the member `operation`.
 * `busy` when it takes longer than `maxMs`. Whatever it throws, nothing is kept.
 */
export interface RunBatch {
  readonly type: "runBatch";
  readonly caller: StatedCaller;
  readonly traceparent?: string;
  readonly atomic: boolean;
  readonly operations: readonly BatchOperation[];
  readonly maxMs: number;
  readonly idempotency?: Idempotency;
}

/** What became of an operation; the record is null after a deletion. */
export type BatchOutcome =
  | { readonly created: boolean; readonly record: Album | Image | null }
  | { readonly error: SerializedError };

/** A caller as JSON. */
export interface StatedCaller extends Omit<Caller, "grants"> {
  readonly grants: readonly (Omit<Grant, "rights"> & { readonly rights: readonly string[] })[];
}

export const stateCaller = (caller: Caller): StatedCaller => ({
  ...caller,
  grants: caller.grants.map((grant) => ({ ...grant, rights: [...grant.rights] })),
});

export const readCaller = (stated: StatedCaller): Caller => ({
  ...stated,
  grants: stated.grants.map((grant) => ({ ...grant, rights: new Set(grant.rights) as Grant["rights"] })),
});

/** Names of the albums that the operation is about as it stands. */
export function albumsOf(operation: BatchOperation): readonly string[] {
  switch (operation.type) {
    case "describeImage":
      return [];
    case "updateImage":
    case "deleteImage":
      return [operation.album];
    case "moveImage":
      return [operation.album, operation.target.album];
    default:
      return [operation.name];
  }
}
