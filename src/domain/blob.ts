/** A blob that was committed to the store and belongs to no record yet. */
export interface NewBlob {
  readonly key: string;
  readonly location: string;
  readonly size: number;
  readonly sha256: string;
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
