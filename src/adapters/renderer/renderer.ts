import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { Description } from "../../domain/image.ts";
import type { Rendered, Renderer } from "../../ports.ts";
import { createChildPool } from "./child-pool.ts";
import type { RenderJob } from "./render-job.ts";

/** To be raised whenever other code makes other bytes of some variant: what is kept, and for ever, goes by the version. */
const PIPELINE_VERSION = 1;

export interface RendererOptions {
  /** Of an original, summed over frames. */
  readonly maxPixels: number;
  /** Whether descriptions say where a picture was taken. */
  readonly exposeLocation: boolean;
  /** Child processes at most. */
  readonly children: number;
  /** How many pictures may wait for a child, up to 1 MiB of each in memory; as many descriptions. */
  readonly queue?: number;
  /** Of one picture, in milliseconds. */
  readonly timeLimit?: number;
  /** Resident bytes of a child. */
  readonly memoryLimit?: number;
  /** After so many pictures a child is replaced. */
  readonly jobsPerChild?: number;
  /** The module that the children run. */
  readonly entry?: string;
}

/** Pictures made by libvips in child processes of their own, so that no probe ever waits behind them. */
export function createRenderer(options: RendererOptions): Renderer {
  const { maxPixels, exposeLocation } = options;
  const children = createChildPool<RenderJob, Rendered | Description>({
    entry: options.entry ?? new URL("./render-child.ts", import.meta.url).pathname,
    children: options.children,
    queue: options.queue ?? 128,
    timeLimit: options.timeLimit ?? 10_000,
    memoryLimit: options.memoryLimit ?? memoryFor(maxPixels),
    jobsPerChild: options.jobsPerChild ?? 500,
  });

  return {
    version: rendererVersion(),
    async render(source, picture, target, signal) {
      try {
        return (await children.run({ task: "render", source, picture, target, maxPixels }, { signal })) as Rendered;
      } catch (error) {
        await rm(target, { force: true });
        throw error;
      }
    },
    async describe(source, _image, signal) {
      const job: RenderJob = { task: "describe", source, maxPixels, exposeLocation };
      return (await children.run(job, { signal, background: true })) as Description;
    },
    [Symbol.asyncDispose]: () => children[Symbol.asyncDispose](),
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
