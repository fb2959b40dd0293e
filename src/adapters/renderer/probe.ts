import { StoreError } from "../../domain/errors.ts";
import { CONTENT_TYPES, FORMATS, IMAGE_FORMATS, type ImageFormat } from "../../domain/formats.ts";
import type { ImageInfo } from "../../domain/image.ts";
import type { BlobSource, Prober } from "../../ports.ts";
import { createChildPool } from "./child-pool.ts";
import type { ProbeJob } from "./probe-with-sharp.ts";
import type { Headers } from "./read-headers.ts";

export interface ProberOptions {
  /** Summed over frames. */
  readonly maxPixels: number;
  readonly acceptTiff: boolean;
  /** Child processes at most. */
  readonly children: number;
  /** How many images may wait for a child. */
  readonly queue?: number;
  /** Processor time of one image, in milliseconds. */
  readonly timeLimit?: number;
  /** How long one image may take in all, in milliseconds. */
  readonly wallLimit?: number;
  /** Resident bytes of a child. */
  readonly memoryLimit?: number;
  /** The module that the children run. */
  readonly entry?: string;
}

/**
 * Plain headers of the usual formats are read here, in bounded TypeScript; whatever is unusual, and the other formats, by
 * libvips in a child process that may come to harm.
 */
export function createProber(options: ProberOptions): Prober {
  const { maxPixels, acceptTiff } = options;
  const formats = IMAGE_FORMATS.filter((format) => format !== "tiff" || acceptTiff);
  const children = createChildPool<ProbeJob, ImageInfo>({
    entry: options.entry ?? new URL("./child-main.ts", import.meta.url).pathname,
    arguments: ["probe"],
    children: options.children,
    queue: options.queue ?? 256,
    timeLimit: options.timeLimit ?? 10_000,
    wallLimit: options.wallLimit ?? 30_000,
    memoryLimit: options.memoryLimit ?? 512 * 1024 * 1024,
  });

  async function probe(source: BlobSource): Promise<ImageInfo> {
    const { format, info: plain, otherFormat } = await look(source);
    if (format === undefined) throw unsupported(formats, otherFormat);
    if (!formats.includes(format)) throw unsupported(formats, format.toUpperCase());
    const info =
      plain ??
      (await children.run({ ...source, format, maxPixels }).catch((error: unknown) => {
        throw withAccepted(error, formats);
      }));
    // Where the sizes differ, the child has counted them.
    if (FORMATS[format].sizesDiffer !== true && info.width * info.height * info.frames > maxPixels) {
      throw new StoreError("image_too_large", `The image has more than ${maxPixels} pixels, counted over its frames.`);
    }
    return info;
  }

  return { probe, [Symbol.asyncDispose]: () => children[Symbol.asyncDispose]() };
}

let readHeaders: ((source: BlobSource) => Headers) | undefined;

/** Loads the codecs with the first upload, not at the start, which they would make 10 ms longer. */
async function look(source: BlobSource): Promise<Headers> {
  readHeaders ??= (await import("./read-headers.ts")).readHeaders;
  try {
    return readHeaders(source);
  } catch (cause) {
    throw new StoreError("unavailable", "The bytes could not be read back. Try again later.", { cause });
  }
}

function unsupported(formats: readonly ImageFormat[], found?: string): StoreError {
  const accepted = formats.map((format) => CONTENT_TYPES[format]);
  const what =
    found === undefined
      ? "The bytes are no image of an accepted type"
      : `The bytes are ${found}, which is not accepted`;
  return new StoreError("unsupported_image", `${what}. Accepted: ${accepted.join(", ")}.`, {
    members: { accepted, ...(found === undefined ? {} : { found }) },
  });
}

/** What a child refuses is told with what would be taken. */
function withAccepted(error: unknown, formats: readonly ImageFormat[]): unknown {
  if (!(error instanceof StoreError) || error.code !== "unsupported_image") return error;
  const accepted = formats.map((format) => CONTENT_TYPES[format]);
  return new StoreError(error.code, error.message, { cause: error, members: { ...error.members, accepted } });
}
