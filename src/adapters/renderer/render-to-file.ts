import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { unlink, writeFile } from "node:fs/promises";
import { CONTENT_TYPES } from "../../domain/formats.ts";
import type { RenderPlan, ResizedPlan } from "../../domain/variant.ts";
import type { BlobSource, Rendered } from "../../ports.ts";
import { translateFileError } from "../files/file-system.ts";
import { CODECS, START_BYTES } from "./formats/codecs.ts";
import { renderWithSharp } from "./render-with-sharp.ts";
import { writeWithoutLocation } from "./without-location/write-without-location.ts";

export interface FileJob {
  readonly source: BlobSource;
  readonly plan: RenderPlan;
  readonly target: string;
  /** Summed over frames. */
  readonly maxPixels: number;
}

/** @throws StoreError what rendering throws; `insufficient_storage`, `unavailable` when the file cannot be written */
export async function renderToFile({ source, plan, target, maxPixels }: FileJob): Promise<Rendered> {
  try {
    if (plan.kind === "resized") return await writeResized(source, plan, target, maxPixels);
    return { contentType: await writeWithoutLocation(source, target), ...(await measure(target)) };
  } catch (error) {
    throw translateFileError(error);
  }
}

async function writeResized(
  source: BlobSource,
  plan: ResizedPlan,
  target: string,
  maxPixels: number,
): Promise<Rendered> {
  const encoded = await inFile(source, target, (file) => renderWithSharp(file, plan, maxPixels));
  await writeFile(target, encoded, { flag: "wx", mode: 0o600 });
  const sha256 = createHash("sha256").update(encoded).digest("hex");
  return { contentType: CONTENT_TYPES[plan.format], size: encoded.byteLength, sha256 };
}

/** Only from a file is a JPEG decoded at a fraction of its size. It stands where the variant will, so it never stays. */
async function inFile<Result>(
  source: BlobSource,
  target: string,
  use: (source: BlobSource) => Promise<Result>,
): Promise<Result> {
  if ("path" in source || !isJpeg(source.bytes)) return use(source);
  await writeFile(target, source.bytes, { flag: "wx", mode: 0o600 });
  try {
    return await use({ path: target });
  } finally {
    await unlink(target);
  }
}

const isJpeg = (bytes: Uint8Array): boolean =>
  CODECS.jpeg.recognises(Buffer.from(bytes.subarray(0, START_BYTES)).toString("latin1"));

/** Of what was just written, and so is read from memory. */
async function measure(path: string): Promise<Pick<Rendered, "size" | "sha256">> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { size, sha256: hash.digest("hex") };
}
