import { join } from "node:path";
import sharp from "sharp";

/** The command of Debian's package imagemagick, versions 6 and 7; by another name where `convert` is another program. */
const command = ["convert-im6.q16", "magick", "convert"].map((name) => Bun.which(name)).find((path) => path !== null);

/** Says out loud what is missing; where CI is set it fails instead. */
export function hasImageMagick(): boolean {
  if (command !== undefined) return true;
  if (process.env["CI"] === "true") throw new Error("These tests need ImageMagick.");
  console.warn("SKIPPED: these tests need ImageMagick.");
  return false;
}

/** Eight bits a channel: red, green, blue and alpha; of animations all frames, each whole, one behind the other. */
export async function decodeWithImageMagick(path: string, operations: readonly string[] = []): Promise<Buffer> {
  const limits = ["-limit", "thread", "1"];
  const process = Bun.spawn(
    [command ?? "convert", ...limits, path, ...operations, "-alpha", "on", "-depth", "8", "rgba:-"],
    { stdout: "pipe", stderr: "pipe" },
  );
  const [pixels, errors] = await Promise.all([
    new Response(process.stdout).arrayBuffer(),
    new Response(process.stderr).text(),
  ]);
  if (pixels.byteLength === 0) throw new Error(`ImageMagick made nothing of ${path}: ${errors}`);
  return Buffer.from(pixels);
}

/** What turns colours of a file into sRGB; ImageMagick has no profiles of its own. */
export async function toSrgb(path: string, folder: string): Promise<string[]> {
  const { icc, space } = await sharp(path).metadata();
  const profile = async (name: "srgb" | "cmyk"): Promise<string> => {
    const file = join(folder, `${name}.icc`);
    const image = sharp({ create: { width: 1, height: 1, channels: 3, background: "red" } });
    const made = await sharp(await image.toColourspace(name).withIccProfile(name).tiff().toBuffer()).metadata();
    await Bun.write(file, made.icc ?? "");
    return file;
  };
  if (icc !== undefined) return ["-intent", "Perceptual", "-profile", await profile("srgb")];
  if (space !== "cmyk") return fromGamma(await gammaOf(path));
  return ["-intent", "Perceptual", "-profile", await profile("cmyk"), "-profile", await profile("srgb")];
}

/** As browsers do it: gAMA says how to come to linear light. The tag that ImageMagick derives from it is overridden. */
function fromGamma(gamma: number | undefined): string[] {
  if (gamma === undefined) return ["-set", "colorspace", "sRGB"];
  const power = ["-channel", "RGB", "-evaluate", "Pow", String(1 / gamma), "+channel"];
  return ["-set", "colorspace", "sRGB", ...power, "-set", "colorspace", "RGB", "-colorspace", "sRGB"];
}

/** What gAMA of a PNG says, where no sRGB chunk is stronger (W3C PNG, 4.3). */
async function gammaOf(path: string): Promise<number | undefined> {
  const file = Buffer.from(await Bun.file(path).arrayBuffer());
  if (file.toString("latin1", 1, 4) !== "PNG") return undefined;
  let gamma: number | undefined;
  for (let offset = 8; offset + 12 <= file.length; offset += 12 + file.readUInt32BE(offset)) {
    const type = file.toString("latin1", offset + 4, offset + 8);
    if (type === "sRGB") return undefined;
    if (type === "gAMA") gamma = file.readUInt32BE(offset + 8) / 100_000;
    if (type === "IDAT") break;
  }
  return gamma;
}

/** Mean difference of the channels, of 255; what cannot be seen has no colour. */
export function meanDifference(one: Buffer, other: Buffer): number {
  if (one.length !== other.length) throw new Error(`${one.length} bytes cannot be compared with ${other.length}`);
  let sum = 0;
  for (let pixel = 0; pixel < one.length; pixel += 4) {
    const [alpha = 0, otherAlpha = 0] = [one[pixel + 3], other[pixel + 3]];
    sum += Math.abs(alpha - otherAlpha);
    for (let channel = pixel; channel < pixel + 3; channel++) {
      sum += Math.abs(((one[channel] ?? 0) * alpha - (other[channel] ?? 0) * otherAlpha) / 255);
    }
  }
  return sum / one.length;
}
