/**
 * The formats that the store accepts, and what there is to know of each but its bytes: those are read and written in
 * src/adapters/renderer/formats, which has one file per row of this table.
 */
const TABLE = {
  jpeg: {
    mediaType: "image/jpeg",
    otherMediaTypes: ["image/jpg", "image/pjpeg"],
    extensions: ["jpg", "jpeg"],
    animates: false,
    output: { maxSide: 65_535, quality: 80, lossless: false, transparency: false, mustBeNamed: false, sizeRank: 3 },
  },
  png: {
    mediaType: "image/png",
    otherMediaTypes: ["image/apng", "image/x-png"],
    extensions: ["png"],
    animates: false,
    output: {
      maxSide: 2_147_483_647,
      quality: 100,
      lossless: true,
      transparency: true,
      mustBeNamed: false,
      sizeRank: 4,
    },
  },
  webp: {
    mediaType: "image/webp",
    extensions: ["webp"],
    animates: true,
    output: { maxSide: 16_383, quality: 80, lossless: false, transparency: true, mustBeNamed: true, sizeRank: 2 },
  },
  gif: {
    mediaType: "image/gif",
    extensions: ["gif"],
    animates: true,
    renderedAs: { opaque: "png", transparent: "png" },
  },
  avif: {
    mediaType: "image/avif",
    extensions: ["avif"],
    animates: false,
    output: {
      maxSide: 16_384,
      quality: 50,
      lossless: false,
      transparency: true,
      mustBeNamed: true,
      sizeRank: 1,
      slow: true,
    },
  },
  tiff: {
    mediaType: "image/tiff",
    extensions: ["tif", "tiff"],
    animates: false,
    sizesDiffer: true,
    renderedAs: { opaque: "jpeg", transparent: "png" },
  },
} as const satisfies Readonly<Record<string, Format>>;

/** A format is rendered, and has an `output`, or only accepted, and is `renderedAs` another unless a spec names one. */
type Format = FormatFacts & ({ readonly output: OutputFacts } | { readonly renderedAs: RenderedAs });

interface FormatFacts {
  readonly mediaType: `image/${string}`;
  /** Other names that clients give it in `Content-Type`. */
  readonly otherMediaTypes?: readonly string[];
  /** Of file names, without the dot; the store uses the first. */
  readonly extensions: readonly [string, ...string[]];
  /** Whether the images of one file are the frames of an animation. */
  readonly animates: boolean;
  /** Whether the images of one file may differ in size, so only the decoder can count its pixels. */
  readonly sizesDiffer?: boolean;
}

interface RenderedAs {
  readonly opaque: string;
  readonly transparent: string;
}

export interface OutputFacts {
  /** The longest side that the format can hold, in pixels. */
  readonly maxSide: number;
  /** The default quality, 1–100. It has no effect on a lossless format. */
  readonly quality: number;
  readonly lossless: boolean;
  readonly transparency: boolean;
  /** Whether `format=auto` sends it only to clients that name it: those that can't show it accept any type all the same. */
  readonly mustBeNamed: boolean;
  /** The order of the formats by the size of the same image, the smallest first. */
  readonly sizeRank: number;
  /** Encoding takes about ten times as long as in the others. */
  readonly slow?: boolean;
}

type Table = typeof TABLE;

/** The names are those that sharp uses, except that sharp calls AVIF heif. */
export type ImageFormat = keyof Table;
export type ContentType = Table[ImageFormat]["mediaType"];
/** The formats that variants are rendered in. */
export type VariantFormat = {
  [Name in ImageFormat]: Table[Name] extends { readonly output: object } ? Name : never;
}[ImageFormat];

export const IMAGE_FORMATS = Object.keys(TABLE) as readonly ImageFormat[];
export const FORMATS: Readonly<Record<ImageFormat, FormatFacts>> = TABLE;
export const CONTENT_TYPES = mapFormats(IMAGE_FORMATS, (name) => TABLE[name].mediaType) as {
  readonly [Name in ImageFormat]: Table[Name]["mediaType"];
};

const isRendered = (name: ImageFormat): name is VariantFormat => "output" in TABLE[name];
export const VARIANT_FORMATS = IMAGE_FORMATS.filter(isRendered) as readonly VariantFormat[];
export const OUTPUTS: Readonly<Record<VariantFormat, OutputFacts>> = mapFormats(
  VARIANT_FORMATS,
  (name) => TABLE[name].output,
);

const BY_CONTENT_TYPE = new Map<ContentType, ImageFormat>(IMAGE_FORMATS.map((name) => [TABLE[name].mediaType, name]));

export function formatOf(contentType: ContentType): ImageFormat {
  const format = BY_CONTENT_TYPE.get(contentType);
  if (format === undefined) throw new Error(`${contentType} is not a media type of the table.`);
  return format;
}

/** What every client can show. */
export const fallbackFormat = (hasAlpha: boolean): VariantFormat => (hasAlpha ? "png" : "jpeg");

/** The format itself, where variants are rendered in it; otherwise the nearest to it. */
export function outputFormatFor(format: ImageFormat, hasAlpha: boolean): VariantFormat {
  if (isRendered(format)) return format;
  const { opaque, transparent } = TABLE[format].renderedAs;
  return hasAlpha ? transparent : opaque;
}

function mapFormats<Name extends ImageFormat, Value>(
  names: readonly Name[],
  valueOf: (name: Name) => Value,
): Readonly<Record<Name, Value>> {
  return Object.fromEntries(names.map((name) => [name, valueOf(name)])) as Record<Name, Value>;
}
