import type { Image, ImageLayout } from "../domain/image.ts";
import type { AlbumOrderBy, Page, PageQuery } from "../domain/page.ts";
import type { Visibility } from "../domain/visibility.ts";

export interface AlbumQuery extends PageQuery<AlbumOrderBy> {
  readonly visibility: Visibility;
}

export interface ImageQuery extends PageQuery {
  readonly visibility: Visibility;
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

export interface FilesQuery {
  readonly albumId: string;
  /** Milliseconds since 1970, inclusive. */
  readonly createdUntil: number;
  /** A name, exclusive; empty for the first images. */
  readonly after: string;
  readonly limit: number;
}

/** What an archive has of an image. */
export interface ImageFile extends Pick<Image, "id" | "name" | "contentType" | "size" | "sha256"> {
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly blobKey: string;
  readonly location: string;
  /** null where it has not been computed. */
  readonly crc32: number | null;
}

/** Queries that tell little of many images. */
export interface CompactListings {
  /** Images of a live album in the order of their names; none of another album. */
  imageFiles(query: FilesQuery): Promise<readonly ImageFile[]>;
  /** When the newest image of an album was created, in milliseconds since 1970; 0 without one. */
  newestImageAt(albumId: string): Promise<number>;
  /** The same images in the same order as `images`. */
  imageLayout(query: ImageQuery): Promise<Page<ImageLayout>>;
  /** For each digest that a visible image has, one such image. In no order. */
  knownImages(query: KnownQuery): Promise<readonly KnownImage[]>;
}

export interface KnownQuery {
  readonly visibility: Visibility;
  /** At most 1,000, in lower-case hexadecimal. */
  readonly sha256: readonly string[];
  /** Only images of this album. */
  readonly albumId?: string | undefined;
}

export interface KnownImage {
  readonly sha256: string;
  readonly id: string;
  readonly name: string;
  readonly album: string;
  readonly albumId: string;
}
