import { StoreError } from "../../../domain/errors.ts";

/** Brands of ISO base media files, which follow `ftyp`, by the name that people know. */
const BRANDS: readonly (readonly [RegExp, string])[] = [
  [/hei[cxms]|hev[cxms]/, "HEIC"],
  [/mif[12]|msf1/, "HEIF"],
  [/crx /, "Canon raw (CR3)"],
  [/jp2 |jpx |jph /, "JPEG 2000"],
  [/qt {2}/, "QuickTime video"],
  [/mp4|isom|iso\d|avc1|M4V|3g[p2]/, "MP4 video"],
];

const SIGNATURES: readonly (readonly [RegExp, string])[] = [
  [/^\xff\x0a|^\0\0\0\x0cJXL /, "JPEG XL"],
  [/^\0\0\0\x0cjP {2}|^\xff\x4f\xff\x51/, "JPEG 2000"],
  [/^(?:II|MM)\xbc\x01/, "JPEG XR"],
  [/^BM/, "BMP"],
  [/^\0\0[\x01\x02]\0/, "ICO"],
  [/^8BPS/, "Photoshop"],
  [/^%PDF-/, "PDF"],
  [/^%!PS/, "PostScript"],
  [/^(?:\xef\xbb\xbf)?\s*<(?:svg|\?xml[^>]*>\s*(?:<!--[^>]*-->\s*)?<svg)/i, "SVG"],
  [/^IIRO|^IIRS|^IIU\0/, "raw camera file"],
  [/^FUJIFILMCCD-RAW/, "Fujifilm raw (RAF)"],
  [/^\x76\x2f\x31\x01/, "OpenEXR"],
  [/^#\?(?:RADIANCE|RGBE)/, "Radiance HDR"],
  [/^qoif/, "QOI"],
  [/^P[1-7]\s/, "Netpbm"],
];

/**
 * The name of a format that is not accepted; undefined for one that is not known either.
 * @param start the first bytes of the file, one character each
 */
export function nameOfUnaccepted(start: string): string | undefined {
  if (start.startsWith("ftyp", 4)) {
    const length = Buffer.from(start.slice(0, 4), "latin1").readUInt32BE();
    const brands = start.slice(8, Math.max(12, Math.min(64, length)));
    // The first is the file's own brand; the others are those that it is compatible with.
    const own = BRANDS.find(([pattern]) => pattern.test(brands.slice(0, 4)) && !/^mif|^msf/.test(brands));
    return (own ?? BRANDS.find(([pattern]) => pattern.test(brands)))?.[1];
  }
  return SIGNATURES.find(([pattern]) => pattern.test(start))?.[1];
}

/** A file of an accepted format that has no picture which this store decodes. */
export const unsupported = (what: string): StoreError =>
  new StoreError(
    "unsupported_image",
    `${what}, which this store cannot decode. Convert it to one of the accepted types.`,
  );
