import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { StoreError } from "../../domain/errors.ts";
import { CONTENT_TYPES } from "../../domain/image.ts";
import type { ResizedPicture } from "../../domain/variant.ts";
import type { BlobSource, Rendered } from "../../ports.ts";
import { renderWithSharp } from "./render-with-sharp.ts";

export interface FileJob {
  readonly source: BlobSource;
  readonly picture: ResizedPicture;
  readonly target: string;
  /** Summed over frames. */
  readonly maxPixels: number;
}

/** @throws StoreError what rendering throws; `insufficient_storage`, `unavailable` when the file cannot be written */
export async function renderToFile({ source, picture, target, maxPixels }: FileJob): Promise<Rendered> {
  const bytes = await renderWithSharp(source, picture, maxPixels);
  await write(target, bytes);
  return {
    contentType: CONTENT_TYPES[picture.format],
    size: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
  };
}

async function write(target: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(target, bytes, { flag: "wx" });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOSPC") {
      throw new StoreError("insufficient_storage", "There is no space for rendered pictures.", { cause });
    }
    throw new StoreError("unavailable", "The rendered picture could not be kept. Try again later.", { cause });
  }
}
