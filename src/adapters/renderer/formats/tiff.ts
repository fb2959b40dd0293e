import type { Sharp } from "sharp";
import { StoreError } from "../../../domain/errors.ts";
import type { ByteReader } from "../byte-reader.ts";
import type { Codec, Preparation } from "./codec.ts";
import { openTiff } from "./tiff-file.ts";
import { patchDirectories } from "./tiff-location.ts";
import { unsupported } from "./unaccepted.ts";

export const tiff: Codec = {
  recognises: (start) => /^(?:II[*+]\0|MM\0[*+])/.test(start),
  loader: "Tiff",
  isDecodedAs: ({ format }) => format === "tiff",
  followsExif: true,
  warnsOfDamage: true,
  prepare,
  withoutLocation: patchDirectories,
};

/** What matters of a directory of a TIFF file (TIFF 6.0, section 2), of a BigTIFF too. */
interface TiffDirectory {
  readonly width: number;
  readonly height: number;
  /** A smaller copy of another picture, or the mask of one. */
  readonly isReduced: boolean;
  readonly compression: number;
  /** The data of a sensor, which only a raw converter makes a picture of. */
  readonly isRaw: boolean;
  readonly subDirectories: readonly TiffDirectory[];
}

interface TiffLayout {
  /** In the order of the chain, which is that of the decoder's pages. */
  readonly pages: readonly TiffDirectory[];
  readonly main: TiffDirectory;
  /** Where the decoder finds the main picture. */
  readonly page: number;
  readonly subifd: number;
}

const [NEW_SUBFILE_TYPE, SUBFILE_TYPE, WIDTH, HEIGHT] = [0x00fe, 0x00ff, 0x0100, 0x0101];
const [COMPRESSION, PHOTOMETRIC, SUB_DIRECTORIES, DNG_VERSION] = [0x0103, 0x0106, 0x014a, 0xc612];
/** Colour filter array, and linear raw: DNG 1.7. */
const RAW_PHOTOMETRICS = [32_803, 34_892];
const MAX_DIRECTORIES = 1024;
const MAX_SUB_DIRECTORIES = 64;

/** @throws StoreError `unsupported_image` for the raw data of a camera */
function prepare(original: ByteReader): Partial<Preparation> {
  const layout = readLayout(original);
  if (layout === undefined) return {};
  const { main, page, subifd, pages } = layout;
  const isCanonRaw = original.read(8, 10).toString("latin1") === "CR";
  if (main.isRaw || isCanonRaw) throw unsupported("The file is the raw data of a camera");
  return {
    options: subifd < 0 ? { page } : { page, subifd },
    // A smaller copy of an image is not another one.
    frames: Math.max(1, pages.filter(({ isReduced }) => !isReduced).length),
    requireDecodable: (open, maxPixels) => requireDecodable(layout, open, maxPixels),
  };
}

/** The headers do not say whether the decoder knows the compression: decoding one pixel does. */
async function requireDecodable(layout: TiffLayout, open: () => Sharp, maxPixels: number): Promise<void> {
  if (allPixelsOf(layout) > maxPixels)
    throw new StoreError("image_too_large", `The image has more than ${maxPixels} pixels, counted over its pages.`);
  await open()
    .extract({ left: 0, top: 0, width: 1, height: 1 })
    .raw()
    .toBuffer()
    .catch((error: unknown) => {
      if (/not configured|not supported|unsupported|unimplemented|no codec/i.test(String(error)))
        throw unsupported(`The TIFF file is compressed as ${compressionName(layout.main.compression)}`);
    });
}

/** Undefined where there is no picture in it. */
function readLayout(file: ByteReader): TiffLayout | undefined {
  const reader = openTiff(file);
  if (reader === undefined) return undefined;
  const seen = new Set<number>();
  const read = (position: number): { directory: TiffDirectory; next: number } | undefined => {
    if (position === 0 || seen.has(position) || seen.size >= MAX_DIRECTORIES) return undefined;
    seen.add(position);
    const found = reader.directory(position);
    if (found === undefined) return undefined;
    const valueOf = (tag: number): number | undefined => {
      const entry = found.entries.find((one) => one.tag === tag);
      return entry === undefined ? undefined : reader.integers(entry, 1)[0];
    };
    const subEntry = found.entries.find(({ tag }) => tag === SUB_DIRECTORIES);
    const positions = subEntry === undefined ? [] : reader.integers(subEntry, MAX_SUB_DIRECTORIES);
    const directory = {
      width: valueOf(WIDTH) ?? 0,
      height: valueOf(HEIGHT) ?? 0,
      isReduced: ((valueOf(NEW_SUBFILE_TYPE) ?? 0) & 5) !== 0 || valueOf(SUBFILE_TYPE) === 2,
      compression: valueOf(COMPRESSION) ?? 1,
      isRaw:
        RAW_PHOTOMETRICS.includes(valueOf(PHOTOMETRIC) ?? 0) || found.entries.some(({ tag }) => tag === DNG_VERSION),
      subDirectories: positions.flatMap((one) => read(one)?.directory ?? []),
    };
    return { directory, next: found.next };
  };
  const pages: TiffDirectory[] = [];
  for (let found = read(reader.first); found !== undefined; found = read(found.next)) pages.push(found.directory);
  const places = pages.flatMap((page, index) => [
    { directory: page, page: index, subifd: -1 },
    ...page.subDirectories.map((directory, subifd) => ({ directory, page: index, subifd })),
  ]);
  const main = mainOf(places);
  return main === undefined ? undefined : { pages, main: main.directory, page: main.page, subifd: main.subifd };
}

interface Place {
  readonly directory: TiffDirectory;
  readonly page: number;
  readonly subifd: number;
}

/** The first page, unless it is only a preview: then the largest picture that is none. */
function mainOf(places: readonly Place[]): Place | undefined {
  const [first] = places;
  if (first === undefined) return undefined;
  const whole = places.filter(
    ({ directory, page }) => !directory.isReduced && (first.directory.isReduced || page === 0),
  );
  const largest = whole.toSorted((one, other) => pixelsOf(other.directory) - pixelsOf(one.directory))[0];
  if (largest === undefined) return first;
  return pixelsOf(largest.directory) > pixelsOf(first.directory) || first.directory.isReduced ? largest : first;
}

const pixelsOf = ({ width, height }: Pick<TiffDirectory, "width" | "height">): number => width * height;

/** Counted as each page and each picture below it has them. */
const allPixelsOf = ({ pages }: TiffLayout): number =>
  pages.flatMap((page) => [page, ...page.subDirectories]).reduce((sum, directory) => sum + pixelsOf(directory), 0);

const COMPRESSIONS: Readonly<Record<number, string>> = {
  6: "old-style JPEG",
  32_766: "NeXT",
  32_809: "ThunderScan",
  32_909: "PixarLog",
  33_003: "JPEG 2000",
  33_004: "JPEG 2000",
  33_005: "JPEG 2000",
  34_661: "JBIG",
  34_676: "SGI LogLuv",
  34_677: "SGI LogLuv",
  34_712: "JPEG 2000",
  34_887: "LERC",
  34_925: "LZMA",
  50_000: "Zstandard",
  50_001: "WebP",
  50_002: "JPEG XL",
  52_546: "JPEG XL",
};

const compressionName = (compression: number): string => COMPRESSIONS[compression] ?? `number ${compression}`;
