import type { Album, Metadata } from "../../domain/album.ts";
import {
  type ContentType,
  type DescribedFields,
  type Exif,
  type FocalPoint,
  type Image,
  type ImageInfo,
  imageLinks,
} from "../../domain/image.ts";

export interface AlbumRow {
  readonly id: string;
  readonly name: string;
  readonly title: string | null;
  readonly description: string | null;
  readonly metadata: string;
  readonly image_count: number;
  readonly revision: number;
  readonly created_at: number;
  readonly updated_at: number;
}

export const ALBUM_COLUMNS = "id, name, title, description, metadata, image_count, revision, created_at, updated_at";

export const toAlbum = (row: AlbumRow): Album => ({
  id: row.id,
  name: row.name,
  title: row.title,
  description: row.description,
  metadata: JSON.parse(row.metadata) as Metadata,
  imageCount: row.image_count,
  revision: row.revision,
  createdAt: toTime(row.created_at),
  updatedAt: toTime(row.updated_at),
});

/** What the store learns of an image by itself, some time after the upload. */
export interface DescriptionColumns {
  readonly described: number;
  readonly placeholder: string | null;
  readonly dominant_colour: string | null;
  readonly exif: string | null;
  readonly taken_at: number | null;
  readonly sound: number | null;
  readonly unsound_reason: string | null;
}

/** As the tables have it by default. */
export const UNDESCRIBED: DescriptionColumns = {
  described: 0,
  placeholder: null,
  dominant_colour: null,
  exif: null,
  taken_at: null,
  sound: null,
  unsound_reason: null,
};

export interface ImageRow extends DescriptionColumns {
  readonly id: string;
  readonly album_id: string;
  readonly name: string;
  readonly title: string | null;
  readonly description: string | null;
  readonly metadata: string;
  readonly tags: string;
  readonly focal_x: number | null;
  readonly focal_y: number | null;
  readonly content_type: ContentType;
  readonly size: number;
  readonly sha256: string;
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  readonly has_alpha: number;
  readonly orientation: number;
  readonly revision: number;
  readonly created_at: number;
  readonly updated_at: number;
}

/** All that a new image has: those of {@link UNDESCRIBED} come by default. */
export const NEW_IMAGE_COLUMNS = [
  "id",
  "album_id",
  "name",
  "title",
  "description",
  "metadata",
  "tags",
  "focal_x",
  "focal_y",
  "content_type",
  "size",
  "sha256",
  "width",
  "height",
  "frames",
  "has_alpha",
  "orientation",
  "revision",
  "created_at",
  "updated_at",
] as const satisfies readonly (keyof ImageRow)[];

export const IMAGE_COLUMNS = [...NEW_IMAGE_COLUMNS, ...Object.keys(UNDESCRIBED)]
  .map((column) => `i.${column}`)
  .join(", ");

export type InfoColumns = Pick<ImageRow, "content_type" | "width" | "height" | "frames" | "has_alpha" | "orientation">;

export const toInfo = (row: InfoColumns): ImageInfo => ({
  contentType: row.content_type,
  width: row.width,
  height: row.height,
  frames: row.frames,
  hasAlpha: row.has_alpha !== 0,
  orientation: row.orientation,
});

export const toFocalPoint = ({ focal_x: x, focal_y: y }: Pick<ImageRow, "focal_x" | "focal_y">): FocalPoint | null =>
  x === null || y === null ? null : { x, y };

export const toImage = (row: ImageRow, album: string): Image => ({
  id: row.id,
  name: row.name,
  album,
  albumId: row.album_id,
  title: row.title,
  description: row.description,
  metadata: JSON.parse(row.metadata) as Metadata,
  tags: JSON.parse(row.tags) as string[],
  focalPoint: toFocalPoint(row),
  contentType: row.content_type,
  size: row.size,
  sha256: row.sha256,
  width: row.width,
  height: row.height,
  frames: row.frames,
  hasAlpha: row.has_alpha !== 0,
  orientation: row.orientation,
  ...toDescribedFields(row),
  revision: row.revision,
  createdAt: toTime(row.created_at),
  updatedAt: toTime(row.updated_at),
  links: imageLinks({ album, name: row.name, id: row.id, sha256: row.sha256 }),
});

const toDescribedFields = (row: DescriptionColumns): DescribedFields => ({
  described: row.described !== 0,
  placeholder: row.placeholder,
  dominantColour: row.dominant_colour,
  exif: row.exif === null ? null : (JSON.parse(row.exif) as Exif),
  sound: row.sound === null ? null : row.sound !== 0,
  unsoundReason: row.unsound_reason,
});

const toTime = (milliseconds: number): string => new Date(milliseconds).toISOString();
