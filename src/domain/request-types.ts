/** What requests ask for, before it is known which records that is about. */
import type { AlbumPatch, AlbumWish } from "./album.ts";
import type { Caller } from "./caller.ts";
import type { Preconditions, RecordVersion } from "./requested.ts";
import type { PublicOriginals } from "./variant.ts";

/** Of every write: who asks for it, and W3C trace context. */
export interface Asking {
  readonly caller: Caller;
  readonly traceparent?: string | undefined;
}

export interface Conditional {
  readonly preconditions?: Preconditions<RecordVersion> | undefined;
}

export interface AlbumCreation {
  /** Used when there is none of the name yet. */
  readonly id: string;
  readonly name: string;
  readonly fields: AlbumWish;
}

export interface AlbumUpdate extends Conditional {
  readonly name: string;
  readonly patch: AlbumPatch;
}

export interface AlbumDeletion extends Conditional {
  readonly name: string;
  readonly recursive: boolean;
}

export interface ImageTarget extends Conditional {
  readonly album: string;
  readonly name: string;
}

/** Where an image is to go. */
export interface ImageDestination {
  readonly album: string;
  /** Absent: the name that it has. */
  readonly name?: string | undefined;
}

/** What to do where the album has an image of the name. `keep-both`: the new one gets the next free name, such as `lake (2).jpg`. */
export const IF_EXISTS = ["fail", "replace", "keep-both"] as const;
export type IfExists = (typeof IF_EXISTS)[number];

export interface ImageMove extends ImageTarget {
  readonly target: ImageDestination;
  readonly ifExists: IfExists;
  readonly publicOriginals: PublicOriginals;
}
