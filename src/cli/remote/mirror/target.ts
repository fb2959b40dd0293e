import type { Album, AlbumPatch, Image, ImagePatch } from "../../../../client/src/index.ts";

/** An album as the target has it: `id` is the target's own. */
export interface TargetAlbum {
  readonly id: string;
  readonly name: string;
  /** Its fields, in one form: equal texts are equal fields. */
  readonly fields: string;
}

export interface TargetImage {
  readonly id: string;
  readonly albumId: string;
  readonly name: string;
  readonly sha256: string;
  readonly fields: string;
}

/** Bytes of an image that were received and have its digest. It has to be stored or discarded. */
export interface ReceivedBytes {
  discard(): Promise<void>;
}

export interface ImageToStore<Bytes> {
  readonly album: TargetAlbum;
  readonly image: Image;
  readonly bytes: Bytes;
  /** The image whose bytes are replaced; undefined for a new one. */
  readonly present: TargetImage | undefined;
}

/**
 * The side of a mirror that is written. Failures have the codes of the API, such as `album_exists` and `image_not_found`. What it resolves is
 * durable.
 */
export interface MirrorTarget<Bytes extends ReceivedBytes = ReceivedBytes> extends AsyncDisposable {
  /** Whether its records have the ids, revisions, times and descriptions of the source. */
  readonly isVerbatim: boolean;
  /** As that of the source, if both are the same store; undefined where that is not known. */
  identity(): Promise<string | undefined>;
  albums(): AsyncIterable<TargetAlbum>;
  /** In the order of their creation. */
  images(): AsyncIterable<TargetImage>;
  albumNamed(name: string): Promise<TargetAlbum | undefined>;
  imageNamed(album: TargetAlbum, name: string): Promise<TargetImage | undefined>;
  imageById(id: string): Promise<TargetImage | undefined>;
  createAlbum(album: Album): Promise<TargetAlbum>;
  updateAlbum(album: TargetAlbum, patch: AlbumPatch): Promise<TargetAlbum>;
  deleteAlbum(album: TargetAlbum): Promise<void>;
  /** Reads the bytes to their end, and verifies their digest. */
  receive(image: Image, open: () => Promise<Response>): Promise<Bytes>;
  /** Creates or replaces the images in their order. */
  store(images: readonly ImageToStore<Bytes>[]): Promise<readonly TargetImage[]>;
  updateImage(album: TargetAlbum, image: TargetImage, patch: ImagePatch): Promise<TargetImage>;
  moveImage(from: TargetAlbum, image: TargetImage, to: TargetAlbum, name: string): Promise<TargetImage>;
  deleteImage(album: TargetAlbum, image: TargetImage): Promise<void>;
  /** Gives records what the API sets by itself, where the target can. */
  align(records: { readonly albums: readonly Album[]; readonly images: readonly Image[] }): Promise<void>;
  /** The digest of the bytes as they can be read now; undefined if they cannot. */
  digestOf(image: TargetImage): Promise<string | undefined>;
}
