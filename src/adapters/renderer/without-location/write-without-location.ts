import * as fs from "node:fs";
import { StoreError } from "../../../domain/errors.ts";
import { CONTENT_TYPES, type ContentType } from "../../../domain/image.ts";
import type { BlobSource } from "../../../ports.ts";
import { type Original, openOriginal } from "../original.ts";
import { planJpeg } from "./jpeg.ts";
import type { Patch } from "./patch.ts";
import { planPng } from "./png.ts";
import { planWebp } from "./webp.ts";

/**
 * Writes a copy of a JPEG, PNG or WebP to `target`, which must not exist yet, without the location that EXIF and XMP say:
 * everything else byte for byte, but for blocks that are too broken to be edited, and what stands behind the picture.
 * What a maker note or a caption says stays. After a failure there is no `target`.
 * @throws StoreError `invalid_image` for another format, or metadata that is too large; `unavailable` when the original
 * cannot be read; what the file system throws over the target
 */
export function writeWithoutLocation(source: BlobSource, target: string): Promise<ContentType> {
  return Promise.try(() => {
    using original = openOriginal(source);
    const { contentType, plan } = recognise(original);
    const patches = plan(original);
    const fd = fs.openSync(target, "wx");
    try {
      writePatched(original, patches, fd);
    } catch (error) {
      fs.rmSync(target, { force: true });
      throw error;
    } finally {
      fs.closeSync(fd);
    }
    return contentType;
  });
}

interface Format {
  readonly contentType: ContentType;
  /** In the order of the file, none over another. */
  readonly plan: (original: Original) => readonly Patch[];
}

function recognise(original: Original): Format {
  const start = original.read(0, 12).toString("latin1");
  if (start.startsWith("\xff\xd8\xff")) return { contentType: CONTENT_TYPES.jpeg, plan: planJpeg };
  if (start.startsWith("\x89PNG\r\n\x1a\n")) return { contentType: CONTENT_TYPES.png, plan: planPng };
  if (start.startsWith("RIFF") && start.startsWith("WEBP", 8)) {
    return { contentType: CONTENT_TYPES.webp, plan: planWebp };
  }
  throw new StoreError("invalid_image", "The location can be taken out of JPEG, PNG and WebP images only.");
}

function writePatched(original: Original, patches: readonly Patch[], fd: number): void {
  const copy = (start: number, end: number): void => original.each(start, end, (piece) => write(piece, fd));
  let done = 0;
  for (const { start, end, bytes } of patches) {
    copy(done, start);
    write(bytes, fd);
    done = end;
  }
  copy(done, original.size);
}

function write(bytes: Uint8Array, fd: number): void {
  for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done);
}
