import sharp, { type Sharp } from "sharp";

/** The same animation with each frame changed by itself. What it knew of delays and repetition is lost. */
export async function eachFrame(animation: Sharp, change: (frame: Sharp) => Sharp): Promise<Sharp> {
  const { data, info } = await animation.raw().toBuffer({ resolveWithObject: true });
  const { width, channels, pages = 1, pageHeight = info.height } = info;
  const frameBytes = width * pageHeight * channels;
  const frames: Buffer[] = [];
  let size = { width, height: pageHeight };
  for (let page = 0; page < pages; page++) {
    const frame = sharp(data.subarray(page * frameBytes, (page + 1) * frameBytes), {
      raw: { width, height: pageHeight, channels },
    });
    const changed = await change(frame).raw().toBuffer({ resolveWithObject: true });
    frames.push(changed.data);
    size = changed.info;
  }
  const raw = { width: size.width, height: size.height * pages, channels, pageHeight: size.height };
  return sharp(Buffer.concat(frames), { raw, animated: true, limitInputPixels: false });
}

/** How EXIF's orientations are undone: mirrored first, then turned clockwise. */
const TURNS: Readonly<Record<number, { readonly mirrored: boolean; readonly degrees: number }>> = {
  2: { mirrored: true, degrees: 0 },
  3: { mirrored: false, degrees: 180 },
  4: { mirrored: true, degrees: 180 },
  5: { mirrored: true, degrees: 270 },
  6: { mirrored: false, degrees: 90 },
  7: { mirrored: true, degrees: 90 },
  8: { mirrored: false, degrees: 270 },
};

/** Where there is no such orientation, the frame as it is. */
export function orientFrame(frame: Sharp, orientation: number): Sharp {
  const turn = TURNS[orientation];
  return turn === undefined ? frame : frame.flop(turn.mirrored).rotate(turn.degrees);
}
