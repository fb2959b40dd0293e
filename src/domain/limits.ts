/** Bounds on what one request may ask for. Sizes in bytes; all are configurable. */
export interface Limits {
  readonly maxUpload: number;
  /** Summed over frames. */
  readonly maxPixels: number;
  readonly maxJson: number;
  /** Files and bytes of one multipart request. */
  readonly maxFiles: number;
  readonly maxMultipart: number;
  readonly maxUploadsInFlight: number;
  /** Of all uploads together, while their bytes are on the way to files or a bucket. */
  readonly uploadMemory: number;
  /** Bytes per second below which an upload is cut off, once it has had ten seconds. */
  readonly minUploadRate: number;
  readonly acceptTiff: boolean;
}
