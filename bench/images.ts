import sharp from "sharp";
import { END_OF_IMAGE, STAMP_BYTES } from "./stamp.ts";

const COMMENT_HEADER = 4;
const MAX_COMMENT = 65_533;

/** A JPEG of noise of exactly so many bytes. The comment that fills it up comes last, so that headers stay in front. */
export async function jpegOf(bytes: number): Promise<Uint8Array<ArrayBuffer>> {
  for (let side = Math.ceil(Math.sqrt(bytes / 1.4)); side > 0; side = Math.floor(side * 0.97)) {
    const noise = crypto.getRandomValues(new Uint8Array(16_384));
    const pixels = Buffer.alloc(side * side * 3, noise);
    const jpeg = await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
      .jpeg({ quality: 80 })
      .toBuffer();
    const filling = bytes - jpeg.length - COMMENT_HEADER;
    if (filling < STAMP_BYTES || filling > MAX_COMMENT) continue;
    const comment = Buffer.alloc(COMMENT_HEADER + filling, 0x20);
    comment.writeUInt16BE(0xfffe, 0);
    comment.writeUInt16BE(filling + 2, 2);
    const body = jpeg.subarray(0, -END_OF_IMAGE);
    return new Uint8Array(Buffer.concat([body, comment, jpeg.subarray(-END_OF_IMAGE)]));
  }
  throw new Error(`No JPEG of ${bytes} bytes could be made.`);
}

/**
 * A drawn photo as a camera would write it: soft light and shade, some edges, and noise. Answers a function that gives
 * the same pixels in ever other bytes.
 */
export async function photoOf(width: number, height: number): Promise<(index: number) => Uint8Array<ArrayBuffer>> {
  const shade = sharp(crypto.getRandomValues(Buffer.alloc(48 * 36 * 3)), {
    raw: { width: 48, height: 36, channels: 3 },
  });
  const light = await shade.resize(width, height, { kernel: "cubic", fit: "fill" }).blur(2).raw().toBuffer();
  const grain = crypto.getRandomValues(new Uint8Array(65_536));
  for (let index = 0; index < light.length; index++) {
    light[index] = Math.max(0, Math.min(255, (light[index] ?? 0) + ((grain[(index * 31) & 65_535] ?? 0) & 15) - 8));
  }
  const jpeg = await sharp(light, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 88 })
    .toBuffer();
  return stampedJpeg(jpeg);
}

/** Answers a function that gives the same JPEG with another comment each time. */
export function stampedJpeg(jpeg: Buffer): (index: number) => Uint8Array<ArrayBuffer> {
  return (index) => {
    const comment = Buffer.alloc(COMMENT_HEADER + STAMP_BYTES, 0x20);
    comment.writeUInt16BE(0xfffe, 0);
    comment.writeUInt16BE(STAMP_BYTES + 2, 2);
    comment.write(String(index), COMMENT_HEADER);
    return new Uint8Array(Buffer.concat([jpeg.subarray(0, -END_OF_IMAGE), comment, jpeg.subarray(-END_OF_IMAGE)]));
  };
}
