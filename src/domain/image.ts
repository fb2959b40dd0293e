import { isMerge, type Metadata, patchMetadata, requireTextBounds, type TextPatch } from "./album.ts";
import type { ContentType } from "./formats.ts";

/** What the headers of the bytes say. Width and height are as displayed: orientation (EXIF, 1–8) applied. */
export interface ImageInfo {
  readonly contentType: ContentType;
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  readonly hasAlpha: boolean;
  readonly orientation: number;
}

/** What only the pixels and the metadata tell. It is added to the record some time after the upload. */
export interface Description {
  /** A ThumbHash in base64; null where the pixels cannot be decoded. */
  readonly placeholder: string | null;
  /** `#rrggbb`; null where the pixels cannot be decoded. */
  readonly dominantColour: string | null;
  /** null where there is nothing of it. */
  readonly exif: Exif | null;
  /** Whether the pixels can be decoded to the end. */
  readonly decodable: boolean;
  /** Why not; null when they can. */
  readonly decodeError: string | null;
  /** What the decoder says of it: for the log only. */
  readonly decoderMessage?: string;
}

/** Of an image whose pixels cannot be decoded to the end, and what its metadata says all the same. */
export const undecodable = (decodeError: string, exif: Exif | null = null): Description => ({
  placeholder: null,
  dominantColour: null,
  exif,
  decodable: false,
  decodeError,
});

/** Cleaned text, at most 2 KiB in all as JSON. What the camera did not say is absent. */
export interface Exif {
  readonly camera?: string;
  readonly lens?: string;
  /** Seconds. */
  readonly exposureTime?: number;
  readonly fNumber?: number;
  /** Millimetres. */
  readonly focalLength?: number;
  readonly iso?: number;
  /** RFC 3339, with the offset where the camera knew it: `2026-07-14T09:30:00+02:00` or `2026-07-14T09:30:00`. */
  readonly takenAt?: string;
  readonly artist?: string;
  readonly copyright?: string;
  /** Degrees, WGS 84. Only where the operator exposes it. */
  readonly location?: { readonly latitude: number; readonly longitude: number };
}

/** The point that crops keep in view: from 0 to 1 of the width and height as displayed. */
export interface FocalPoint {
  readonly x: number;
  readonly y: number;
}

/** What a client sets on an image, apart from its name. */
export interface ImageFields {
  readonly title: string | null;
  readonly description: string | null;
  readonly metadata: Metadata;
  readonly tags: readonly string[];
  readonly focalPoint: FocalPoint | null;
}

/** The {@link Description} of a record. Until there is one, and again after new bytes: `described` is false, the rest null. */
export interface DescribedFields {
  readonly described: boolean;
  readonly placeholder: string | null;
  readonly dominantColour: string | null;
  readonly exif: Exif | null;
  readonly decodable: boolean | null;
  readonly decodeError: string | null;
}

/** An image as the API gives it. `size` in bytes; `sha256` in lower-case hex; times as in {@link Album}. */
export interface Image extends ImageFields, ImageInfo, DescribedFields {
  readonly id: string;
  readonly name: string;
  readonly album: string;
  readonly albumId: string;
  readonly size: number;
  readonly sha256: string;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly links: { readonly self: string; readonly content: string };
}

/** An image and where its bytes are: an opaque string of the blob store's, good only until the store moves them. */
export interface StoredImage {
  readonly image: Image;
  readonly location: string;
}

/** As much of an image as its bytes and variants are answered from: found in two thirds of the time that all of it takes. */
export interface StoredContent {
  readonly image: ImageInfo & Pick<Image, "id" | "name" | "albumId" | "size" | "sha256" | "focalPoint">;
  /** When other bytes, or another image, may last have come to where it was found; in milliseconds since 1970. */
  readonly modifiedAt: number;
  readonly location: string;
  /** Whether its album is public. */
  readonly isPublic: boolean;
}

/** As much of an image as a page needs to place it among others. Times in milliseconds since 1970. */
export interface ImageLayout extends Pick<Image, "id" | "sha256" | "width" | "height" | "placeholder"> {
  readonly takenAt: number | null;
  readonly createdAt: number;
}

export interface ImagePatch extends TextPatch {
  readonly tags?: readonly string[] | null | undefined;
  readonly focalPoint?: FocalPoint | null | undefined;
}

export const EMPTY_IMAGE_FIELDS: ImageFields = {
  title: null,
  description: null,
  metadata: {},
  tags: [],
  focalPoint: null,
};

/** Fields of {@link Image} that records stored by earlier versions lack, as a new image has them. */
export const ADDED_IMAGE_FIELDS = {
  focalPoint: null,
  described: false,
  placeholder: null,
  dominantColour: null,
  exif: null,
  decodable: null,
  decodeError: null,
} as const satisfies Pick<ImageFields, "focalPoint"> & DescribedFields;
/** An image in an event, or in a response kept for an Idempotency-Key, which may be of an earlier version. */
export type LoggedImage = Omit<Image, keyof typeof ADDED_IMAGE_FIELDS> &
  Partial<Pick<Image, keyof typeof ADDED_IMAGE_FIELDS>>;

/** When it was taken, in milliseconds since 1970, for order and filter; UTC where the camera knew no offset. */
export function takenAtTime(exif: Exif | null): number | null {
  const takenAt = exif?.takenAt;
  if (takenAt === undefined) return null;
  const time = Date.parse(/(Z|[+-]\d\d:\d\d)$/.test(takenAt) ? takenAt : `${takenAt}Z`);
  return Number.isNaN(time) ? null : time;
}

/** Path-absolute: `self` by name, so it changes with a rename; `content` by id and digest, so it may be kept for ever. */
export const imageLinks = (image: { album: string; name: string; id: string; sha256: string }): Image["links"] => ({
  self: `/v1/albums/${encodeURIComponent(image.album)}/images/${encodeURIComponent(image.name)}`,
  content: contentPath(image),
});

/** Of these bytes of the image, or of a variant of them. */
export const contentPath = ({ id, sha256 }: { id: string; sha256: string }): string =>
  `/v1/images/${id}/content/${sha256}`;

/**
 * The name and fields after the patch.
 * @throws StoreError `invalid_request` when the tags or the merged metadata are too long
 */
export function patchImage(image: ImageFields & { name: string }, patch: ImagePatch): ImageFields & { name: string } {
  const patched = {
    name: patch.name ?? image.name,
    title: patch.title === undefined ? image.title : patch.title,
    description: patch.description === undefined ? image.description : patch.description,
    metadata: patchMetadata(image.metadata, patch.metadata),
    tags: patch.tags === undefined ? image.tags : (patch.tags ?? []),
    focalPoint: patch.focalPoint === undefined ? image.focalPoint : patch.focalPoint,
  };
  requireTextBounds({ metadata: isMerge(patch) ? patched.metadata : undefined, tags: patch.tags });
  return patched;
}
