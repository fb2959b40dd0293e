import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { Description } from "../../domain/image.ts";
import type { Rendered, Renderer } from "../../ports.ts";
import { createChildPool } from "./child-pool.ts";
import type { DescribeJob } from "./describe-with-sharp.ts";
import type { FileJob } from "./render-to-file.ts";

/** Raise it with every change that renders other bytes: caches keep variants by this version, and may keep them for ever. */
const PIPELINE_VERSION = 3;

export interface RendererOptions {
  /** Of an original, summed over frames. */
  readonly maxPixels: number;
  /** Whether descriptions include the location. */
  readonly exposeLocation: boolean;
  /** Child processes at most, and as many again for descriptions. */
  readonly children: number;
  /** How many renders may wait for a child, with up to 1 MiB of each in memory; and as many descriptions. */
  readonly queue?: number;
  /** Processor time of one render, in milliseconds. */
  readonly timeLimit?: number;
  /** How long one render may take in all, in milliseconds. */
  readonly wallLimit?: number;
  /** Resident bytes of a child. */
  readonly memoryLimit?: number;
  /** A child is replaced after so many jobs. */
  readonly jobsPerChild?: number;
}

/** Descriptions run only while the processor is idle. One that takes longer than this starts again from the beginning. */
const DESCRIBE_WALL_LIMIT_MS = 600_000;
const IDLE_LIMIT_MS = 10_000;

/**
 * Renders variants with libvips in child processes of their own, so no probe waits behind them. Descriptions run in
 * other children with the lowest priority, so no render and no request waits for them.
 */
export function createRenderer(options: RendererOptions): Renderer {
  const { maxPixels, exposeLocation } = options;
  const limits = {
    entry: new URL("./child-main.ts", import.meta.url).pathname,
    children: options.children,
    queue: options.queue ?? 128,
    timeLimit: options.timeLimit ?? 10_000,
    memoryLimit: options.memoryLimit ?? memoryFor(maxPixels),
    jobsPerChild: options.jobsPerChild ?? 500,
  };
  const renderers = createChildPool<FileJob, Rendered>({
    ...limits,
    arguments: ["render"],
    wallLimit: options.wallLimit ?? 30_000,
  });
  const describers = createChildPool<DescribeJob, Description>({
    ...limits,
    arguments: ["describe"],
    wallLimit: options.wallLimit ?? DESCRIBE_WALL_LIMIT_MS,
    idleLimit: IDLE_LIMIT_MS,
  });

  return {
    version: rendererVersion(),
    async render(source, plan, target, signal) {
      try {
        return await renderers.run({ source, plan, target, maxPixels }, { signal });
      } catch (error) {
        await rm(target, { force: true });
        throw error;
      }
    },
    describe: (source, _image, signal) => describers.run({ source, maxPixels, exposeLocation }, { signal }),
    async [Symbol.asyncDispose]() {
      await Promise.all([renderers[Symbol.asyncDispose](), describers[Symbol.asyncDispose]()]);
    },
  };
}

/**
 * What a child takes before it has an image, with room, and what an image takes at worst: an AVIF of ten bits without
 * subsampling is decoded as a whole. Measured with 50 megapixels: 1,235 MiB for that one, 935 with eight bits, 555 for an
 * interlaced PNG of 16 bits, 460 for WebP, 450 for a progressive JPEG, 160 for a plain one.
 */
const memoryFor = (maxPixels: number): number => 256 * 1024 * 1024 + 24 * maxPixels;

/** Each version of sharp comes with one of libvips. Read and not imported, since that would load the native code here. */
function rendererVersion(): string {
  const packageFile = new URL("../package.json", import.meta.resolve("sharp"));
  const { version } = JSON.parse(readFileSync(packageFile, "utf8")) as { readonly version: string };
  return `${PIPELINE_VERSION}-${version}`;
}
