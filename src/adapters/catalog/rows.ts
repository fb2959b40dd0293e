import type { Album, Metadata } from "../../domain/album.ts";
import { type ContentType, type Image, imageLinks } from "../../domain/image.ts";

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

export interface ImageRow {
  readonly id: string;
  readonly album_id: string;
  readonly name: string;
  readonly title: string | null;
  readonly description: string | null;
  readonly metadata: string;
  readonly tags: string;
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

export const IMAGE_COLUMN_NAMES = [
  "id",
  "album_id",
  "name",
  "title",
  "description",
  "metadata",
  "tags",
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

export const IMAGE_COLUMNS = IMAGE_COLUMN_NAMES.map((column) => `i.${column}`).join(", ");

export const toImage = (row: ImageRow, album: string): Image => ({
  id: row.id,
  name: row.name,
  album,
  albumId: row.album_id,
  title: row.title,
  description: row.description,
  metadata: JSON.parse(row.metadata) as Metadata,
  tags: JSON.parse(row.tags) as string[],
  contentType: row.content_type,
  size: row.size,
  sha256: row.sha256,
  width: row.width,
  height: row.height,
  frames: row.frames,
  hasAlpha: row.has_alpha !== 0,
  orientation: row.orientation,
  revision: row.revision,
  createdAt: toTime(row.created_at),
  updatedAt: toTime(row.updated_at),
  links: imageLinks({ album, name: row.name, id: row.id, sha256: row.sha256 }),
});

const toTime = (milliseconds: number): string => new Date(milliseconds).toISOString();
