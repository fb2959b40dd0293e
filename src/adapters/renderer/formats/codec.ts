import type { Metadata, Sharp, SharpOptions, WebpOptions } from "sharp";
import type { ImageInfo } from "../../../domain/image.ts";
import type { BlobSource } from "../../../ports.ts";
import type { BoundedReader } from "../bounded-reader.ts";
import type { ByteReader } from "../byte-reader.ts";
import type { ColourSpace } from "../colour/code-points.ts";
import type { Patch } from "../without-location/patch.ts";

/** How the bytes of one format are read. Its other facts are a row of src/domain/formats.ts. */
export interface Codec {
  /** Whether a file is of this format. `start` is its first 64 bytes, one character each. */
  readonly recognises: (start: string) => boolean;
  /** The loader of libvips, as in `VipsForeignLoadJpegFile`. */
  readonly loader: string;
  /** Whether the decoder took a file for this format. */
  readonly isDecodedAs: (metadata: Pick<Metadata, "format" | "compression">) => boolean;
  /**
   * Reads the headers in this process. Without it, or where it throws `Unusual`, the decoder in a child process reads
   * them.
   */
  readonly readHeader?: (file: BoundedReader) => Header;
  /** Whether browsers follow the orientation in its EXIF. */
  readonly followsExif: boolean;
  /** Whether what the decoder warns of is damage of the pixels. */
  readonly warnsOfDamage: boolean;
  /**
   * What the decoder misses or misreads, although browsers do not.
   * @throws StoreError `unsupported_image` for what no decoder of this store reads
   */
  readonly prepare: (original: ByteReader, source: BlobSource) => Partial<Preparation>;
  /**
   * The changes that remove the location from EXIF and XMP, in the order of the file.
   * @throws StoreError `invalid_image` where the metadata cannot be edited safely
   */
  readonly withoutLocation: (original: ByteReader) => readonly Patch[];
}

/** A format that variants are rendered in. */
export interface EncodingCodec extends Codec {
  readonly encode: (image: Sharp, quality: number, animation: Animation) => Sharp;
}

export type Animation = Pick<WebpOptions, "delay" | "loop">;

/** Width and height as they are stored: the orientation is not applied. */
export type Header = Omit<ImageInfo, "contentType">;

/** How the decoder must be given a file. */
export interface Preparation {
  readonly input: string | Uint8Array;
  /** Selects one of several images in the file. */
  readonly options: SharpOptions;
  /** Where the bytes, and not a profile, say that the colours are not sRGB. */
  readonly colour: ColourSpace | undefined;
  /** How many frames or pages the file has, where the decoder would count others. */
  readonly frames: number | undefined;
  /** False where the blocks of the file show that bytes are missing. */
  readonly isWhole: boolean;
  /** A copy without the defects that cost no pixel; `isCut` where the copy still lacks pixels. */
  readonly repair: (() => { readonly input: Uint8Array; readonly isCut: boolean }) | undefined;
  /** The input with its defects mended as far as possible, for a decoder that refused it. */
  readonly mend: () => string | Uint8Array;
  /** @throws StoreError `image_too_large`, `unsupported_image` for what the headers do not say */
  readonly requireDecodable: (open: () => Sharp, maxPixels: number) => Promise<void>;
}
