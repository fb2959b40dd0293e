/** What a catalog is asked, and what it returns, beside albums and images. */
import type { EventType, LogPosition, StoredEvent } from "../domain/event.ts";
import type { ImageInfo } from "../domain/image.ts";
import type { Visibility } from "../domain/visibility.ts";

export interface UndescribedQuery {
  readonly limit: number;
  /** Which come first. */
  readonly order: "newest" | "oldest";
  /** Ids, exclusive. */
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  /** Only images whose id ends with one of these hexadecimal digits. */
  readonly share?: readonly string[] | undefined;
}

export interface DescribeBacklogState {
  /** At most 100,000 are counted. */
  readonly images: number;
  /** Of the one that waits for the longest time, in milliseconds since 1970; null without one. */
  readonly oldestCreatedAt: number | null;
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
  /** By the names that albums had when the events were written, so that deletions are seen too. Public albums do not count. */
  readonly visibility: Visibility;
  readonly after?: LogPosition | undefined;
  readonly limit: number;
  readonly types?: readonly EventType[] | undefined;
  readonly albumId?: string | undefined;
  /** Albums whose events are left out, few of them. */
  readonly exceptAlbums?: readonly string[] | undefined;
  /** With those of the audit trail, of whatever album they are; default: false. */
  readonly audit?: boolean;
}

export interface EventBatch {
  readonly events: readonly StoredEvent[];
  /** Where to go on: past the events that the filter left out too. */
  readonly next: LogPosition;
  /** True when nothing readable is left behind `next`. */
  readonly atEnd: boolean;
}

export interface BlobRow {
  readonly key: string;
  readonly location: string;
  readonly size: number;
  readonly sha256: string;
  /** null where it has not been computed. */
  readonly crc32: number | null;
  readonly state: "pending" | "live" | "condemned" | "deleting";
}

export interface Totals {
  readonly albums: number;
  readonly images: number;
  readonly bytes: number;
}
