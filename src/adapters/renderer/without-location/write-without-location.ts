import * as fs from "node:fs";
import { StoreError } from "../../../domain/errors.ts";
import { CONTENT_TYPES, type ContentType, type ImageFormat } from "../../../domain/formats.ts";
import type { BlobSource } from "../../../ports.ts";
import { type ByteReader, openByteReader } from "../byte-reader.ts";
import { CODECS, recognise, START_BYTES } from "../formats/codecs.ts";
import type { Patch } from "./patch.ts";

/**
 * Writes a copy of an image to `target`, which must not exist yet, without the location in its EXIF and XMP. Everything
 * else is copied byte for byte, except blocks that are too broken to be edited and data behind the image. Maker notes and
 * captions stay. After a failure there is no `target`.
 * @throws StoreError `invalid_image` for another format, or metadata that is too large or cannot be edited; `unavailable` when the original
 * cannot be read; what the file system throws over the target
 */
export function writeWithoutLocation(source: BlobSource, target: string): Promise<ContentType> {
  return Promise.try(() => {
    using original = openByteReader(source);
    const format = formatOf(original);
    const patches = CODECS[format].withoutLocation(original);
    const fd = fs.openSync(target, "wx", 0o600);
    try {
      writePatched(original, patches, fd);
    } catch (error) {
      fs.rmSync(target, { force: true });
      throw error;
    } finally {
      fs.closeSync(fd);
    }
    return CONTENT_TYPES[format];
  });
}

function formatOf(original: ByteReader): ImageFormat {
  const format = recognise(original.read(0, START_BYTES).toString("latin1"));
  if (format !== undefined) return format;
  throw new StoreError("invalid_image", "The location can be removed only from the accepted types.");
}

function writePatched(original: ByteReader, patches: readonly Patch[], fd: number): void {
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
