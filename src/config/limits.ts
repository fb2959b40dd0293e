import { totalmem } from "node:os";
import type { Limits } from "../domain/limits.ts";
import type { SettingValues } from "./settings.ts";

/** Phone cameras take 50 megapixels (8160 × 6144) by default, and 108 on request. */
const LARGE = 120_000_000;
const USUAL = 64_000_000;
/** What a renderer needs for each pixel of the most demanding kind of image. */
const BYTES_PER_PIXEL = 24;

export const readLimits = (values: SettingValues, renderers: number): Limits => ({
  maxUpload: values.MAX_UPLOAD,
  maxPixels: values.MAX_PIXELS ?? defaultMaxPixels(renderers),
  maxJson: values.MAX_JSON,
  maxFiles: values.MAX_FILES,
  maxMultipart: values.MAX_MULTIPART,
  maxUploadsInFlight: values.MAX_UPLOADS,
  uploadMemory: values.UPLOAD_MEMORY,
  minUploadRate: values.MIN_UPLOAD_RATE,
  acceptTiff: values.ACCEPT_TIFF,
});

/** {@link LARGE} if all renderers together then need at most half of the memory of this machine or container. */
export function defaultMaxPixels(renderers: number, memory: number = availableMemory()): number {
  return renderers * LARGE * BYTES_PER_PIXEL <= memory / 2 ? LARGE : USUAL;
}

/** The container's memory limit. Without a limit, `constrainedMemory` returns 0 or more than the machine has. */
function availableMemory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
