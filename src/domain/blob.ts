/** A blob that was committed to the store and belongs to no record yet. */
export interface NewBlob {
  readonly key: string;
  readonly location: string;
  readonly size: number;
  readonly sha256: string;
  /** Absent where it has not been computed. */
  readonly crc32?: number;
  /** It has a row since before its bytes were sent (`reserveBlobs`); where that was swept, `upload_expired`. */
  readonly reserved?: boolean;
}

export interface BlobRef {
  readonly key: string;
  readonly location: string;
}

/** The same bytes, durable in both places. */
export interface BlobMove {
  readonly key: string;
  readonly from: string;
  readonly to: string;
}

/** Bytes of the store that are no readable blob. `where` names the place in log lines and reports; `size` is in bytes. */
export interface UnreadableBytes {
  readonly where: string;
  readonly size: number;
  readonly extent: Extent;
  /** Set where the bytes can be removed, once no record claims them. */
  readonly orphaned?: OrphanedExtent;
}

/** What is left of one or several blobs. Pass `location` to the store's `remove`. */
export interface OrphanedExtent {
  readonly location: string;
  /** Whether the extent may hold bytes of the blob at that location. */
  readonly isOf: (location: string) => boolean;
}

/** A part of a file, in bytes; the file may end before it. */
export interface Extent {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

/** A blob in a listing of its store. */
export interface FoundBlob {
  readonly key: string;
  readonly location: string;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
}
