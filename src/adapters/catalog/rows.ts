import type { Album, Metadata } from "../../domain/album.ts";
import type { ContentType } from "../../domain/formats.ts";
import {
  type DescribedFields,
  type Exif,
  type FocalPoint,
  type Image,
  type ImageInfo,
  imageLinks,
} from "../../domain/image.ts";
import type { Quota, QuotaScope } from "../../domain/quota.ts";

export interface AlbumRow {
  readonly id: string;
  readonly name: string;
  readonly title: string | null;
  readonly description: string | null;
  readonly metadata: string;
  readonly public: number;
  readonly image_count: number;
  readonly byte_count: number;
  readonly max_bytes: number | null;
  readonly max_images: number | null;
  readonly revision: number;
  readonly created_at: number;
  readonly updated_at: number;
}

export const ALBUM_COLUMNS =
  "id, name, title, description, metadata, public, image_count, byte_count, max_bytes, max_images, revision, created_at, updated_at";

export const toAlbum = (row: AlbumRow): Album => ({
  id: row.id,
  name: row.name,
  title: row.title,
  description: row.description,
  metadata: JSON.parse(row.metadata) as Metadata,
  visibility: row.public === 0 ? "private" : "public",
  imageCount: row.image_count,
  byteCount: row.byte_count,
  revision: row.revision,
  createdAt: toTime(row.created_at),
  updatedAt: toTime(row.updated_at),
});

export interface QuotaRow {
  readonly scope: QuotaScope;
  readonly max_bytes: number | null;
  readonly max_images: number | null;
  readonly images: number;
  readonly bytes: number;
}

export const toQuota = ({ scope, max_bytes, max_images, images, bytes }: QuotaRow): Quota => ({
  scope,
  maxBytes: max_bytes,
  maxImages: max_images,
  used: { images, bytes },
});

/** The description that the store adds to an image some time after the upload. */
export interface DescriptionColumns {
  readonly described: number;
  readonly placeholder: string | null;
  readonly dominant_colour: string | null;
  readonly exif: string | null;
  readonly taken_at: number | null;
  /** `decodable` of the record, and `decodeError` below. Nodes of earlier versions know the columns by these names. */
  readonly sound: number | null;
  readonly unsound_reason: string | null;
}

/** The defaults of the tables. */
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
  /** The key whose quota counts the image. */
  readonly charged_to: string | null;
  readonly revision: number;
  readonly created_at: number;
  readonly updated_at: number;
}

/** The columns of a new image; those of {@link UNDESCRIBED} have defaults. */
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
  "charged_to",
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

/**
 * JSON that a catalog stored before `sound` and `unsoundReason` became `decodable` and `decodeError`, with the names of
 * today. Matches no text of a client: the values of metadata are strings, and quotes within strings are escaped.
 */
export const withCurrentNames = (json: string): string =>
  json.includes('"unsoundReason":') ? json.replace(EARLIER_NAMES, '"decodable":$1,"decodeError":') : json;
const EARLIER_NAMES = /"sound":(true|false|null),"unsoundReason":/g;

const toDescribedFields = (row: DescriptionColumns): DescribedFields => ({
  described: row.described !== 0,
  placeholder: row.placeholder,
  dominantColour: row.dominant_colour,
  exif: row.exif === null ? null : (JSON.parse(row.exif) as Exif),
  decodable: row.sound === null ? null : row.sound !== 0,
  decodeError: row.unsound_reason,
});

export const toTime = (milliseconds: number): string => new Date(milliseconds).toISOString();
