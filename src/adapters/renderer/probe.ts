import { StoreError } from "../../domain/errors.ts";
import { CONTENT_TYPES, type ImageFormat, type ImageInfo } from "../../domain/image.ts";
import type { BlobSource, Prober } from "../../ports.ts";
import { createChildPool } from "./child-pool.ts";
import { type Headers, readHeaders } from "./headers/header.ts";
import type { ProbeJob } from "./probe-with-sharp.ts";

export interface ProberOptions {
  /** Summed over frames. */
  readonly maxPixels: number;
  readonly acceptTiff: boolean;
  /** Child processes at most. */
  readonly children: number;
  /** How many images may wait for a child. */
  readonly queue?: number;
  /** Of one image, in milliseconds. */
  readonly timeLimit?: number;
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
  const formats = (Object.keys(CONTENT_TYPES) as ImageFormat[]).filter((format) => format !== "tiff" || acceptTiff);
  const children = createChildPool<ProbeJob, ImageInfo>({
    entry: options.entry ?? new URL("./probe-child.ts", import.meta.url).pathname,
    children: options.children,
    queue: options.queue ?? 256,
    timeLimit: options.timeLimit ?? 10_000,
    memoryLimit: options.memoryLimit ?? 512 * 1024 * 1024,
  });

  async function probe(source: BlobSource): Promise<ImageInfo> {
    const { format, info: plain } = look(source);
    if (format === undefined || !formats.includes(format)) throw unsupported(formats);
    const info = plain ?? (await children.run({ ...source, format, maxPixels }));
    if (info.width * info.height * info.frames > maxPixels) {
      throw new StoreError("image_too_large", `The image has more than ${maxPixels} pixels, counted over its frames.`);
    }
    return info;
  }

  return { probe, [Symbol.asyncDispose]: () => children[Symbol.asyncDispose]() };
}

function look(source: BlobSource): Headers {
  try {
    return readHeaders(source);
  } catch (cause) {
    throw new StoreError("unavailable", "The bytes could not be read back. Try again later.", { cause });
  }
}

function unsupported(formats: readonly ImageFormat[]): StoreError {
  const accepted = formats.map((format) => CONTENT_TYPES[format]);
  return new StoreError("unsupported_image", `The bytes are no image of an accepted type: ${accepted.join(", ")}.`, {
    members: { accepted },
  });
}
