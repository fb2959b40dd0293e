import { afterAll, beforeAll, expect } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import readExif from "exif-reader";
import sharp from "sharp";
import { writeWithoutLocation } from "../../../../src/adapters/renderer/without-location/write-without-location.ts";
import { newFolder, removeFolder } from "../../../temporary-folder.ts";
import { PLANTED } from "../located-images.ts";

/** For the paths of all tests of a file. */
export function useFolder(): void {
  beforeAll(async () => {
    folder = await newFolder("location");
  });
  afterAll(() => removeFolder(folder));
}

let folder: string;
let names = 0;
export const newPath = (): string => join(folder, `${names++}`);

/** Once from memory and once from a file: both give the same. */
export async function strip(image: Uint8Array): Promise<Buffer> {
  const [source, one, other] = [newPath(), newPath(), newPath()];
  await writeFile(source, image);
  const types = await Promise.all([
    writeWithoutLocation({ bytes: image }, one),
    writeWithoutLocation({ path: source }, other),
  ]);
  expect(types[0]).toBe(types[1]);
  const result = await readFile(one);
  expect(result.equals(await readFile(other))).toBe(true);
  return result;
}

/** What could still tell the place: any of the planted values, in either byte order, or a name of a field. */
export function leftOf(image: Buffer): string[] {
  const numbers = [...PLANTED.latitude.slice(1), ...PLANTED.longitude.slice(1), PLANTED.altitude];
  const found = numbers.filter((value) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return image.includes(bytes) || image.includes(bytes.swap32());
  });
  const texts = ["PLANTED", "GPSL", "GPSA", "GpsL"].filter((text) => image.includes(text));
  return [...found.map(String), ...texts];
}

export const pixelsOf = (image: Buffer): Promise<Buffer> => sharp(image).raw().toBuffer();

/** The copy has the same pixels, and no location by any reading of it. */
export async function expectStripped(image: Buffer): Promise<Buffer> {
  expect(leftOf(image)).not.toEqual([]);
  const stripped = await strip(image);
  expect(leftOf(stripped)).toEqual([]);
  expect((await pixelsOf(stripped)).equals(await pixelsOf(image))).toBe(true);
  const { exif } = await sharp(stripped).metadata();
  if (exif !== undefined) expect(readExif(exif).GPSInfo).toBeUndefined();
  expect((await strip(stripped)).equals(stripped)).toBe(true);
  return stripped;
}

/** Everything that a camera said, but for the place. */
export async function expectCameraKept(stripped: Buffer): Promise<void> {
  const { exif } = await sharp(stripped).metadata();
  const { Image, Photo, Thumbnail } = readExif(exif ?? Buffer.alloc(0));
  expect(Image).toMatchObject({ Make: "Acme", Model: "Acme One", Orientation: 6, XPTitle: "after it" });
  expect(Image?.["GPSTag"]).toBeUndefined();
  expect(Photo).toMatchObject({ FNumber: 4, LensModel: "50mm F1.8", OffsetTimeOriginal: "+02:00" });
  expect(Thumbnail).toEqual({ Software: "thumbnailer" });
}
