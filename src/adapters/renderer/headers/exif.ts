import { type FileBytes, Unusual } from "./file-bytes.ts";

const ORIENTATION = 0x0112;
const SHORT = 3;
const MAX_ENTRIES = 256;

/** The orientation (1–8) that the EXIF block from `start` up to `end` gives in its first directory; 1 without one. */
export function readOrientation(file: FileBytes, start: number, end: number): number {
  const order = file.ascii(start, 2);
  if (order !== "II" && order !== "MM") throw new Unusual();
  const littleEndian = order === "II";
  if (file.uint16(start + 2, littleEndian) !== 42) throw new Unusual();
  const directory = start + file.uint32(start + 4, littleEndian);
  const entries = file.uint16(directory, littleEndian);
  if (entries > MAX_ENTRIES || directory + 2 + entries * 12 > end) throw new Unusual();
  for (let entry = directory + 2; entry < directory + 2 + entries * 12; entry += 12) {
    if (file.uint16(entry, littleEndian) !== ORIENTATION) continue;
    const orientation = file.uint16(entry + 8, littleEndian);
    const isPlain = file.uint16(entry + 2, littleEndian) === SHORT && file.uint32(entry + 4, littleEndian) === 1;
    if (!isPlain || orientation < 1 || orientation > 8) throw new Unusual();
    return orientation;
  }
  return 1;
}
