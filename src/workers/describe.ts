import { setImmediate } from "node:timers/promises";
import { pause } from "../concurrency/clock.ts";
import { createNotifier } from "../concurrency/notifier.ts";
import { backoff } from "../concurrency/retry.ts";
import { StoreError } from "../domain/errors.ts";
import { undecodable } from "../domain/image.ts";
import type { BlobStore, Catalog, Renderer, UndescribedImage } from "../ports.ts";
import { createDescribeBacklog } from "./describe-backlog.ts";
import { createPostponedImages } from "./postponed-images.ts";

export interface DescribeDeps {
  readonly catalog: Pick<Catalog, "undescribedImages" | "write" | "onEvents">;
  readonly blobs: Pick<BlobStore, "openLocal">;
  readonly renderer: Pick<Renderer, "describe">;
}

export interface DescribeOptions {
  /** Resolves when no upload is running, after the given milliseconds, or when the signal aborts. */
  readonly whenIdle: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Called with an error that is retried later. */
  readonly onFailure: (error: unknown) => void;
  /** Called for an image that cannot be decoded to the end, with the message of the decoder. */
  readonly onDamage?: (imageId: string, decoderMessage: string) => void;
  /** Images described concurrently. Default: 1. */
  readonly atOnce?: number;
  /** Last digits of the ids of the images that this worker describes. Default: all. */
  readonly share?: readonly string[] | undefined;
  /** Times in milliseconds. */
  readonly pollInterval?: number;
  /** Longest wait of an image for running uploads. */
  readonly patience?: number;
  readonly minBackoff?: number;
  /** Longest delay between two attempts at an image. */
  readonly maxBackoff?: number;
  /** Longest pause of all work while the store fails. */
  readonly maxPause?: number;
}

/**
 * Describes the images without a description, the newest and the oldest in turn, until the signal aborts. Requests come
 * first: each image waits for running uploads, up to a limit. A failed image is retried later and does not delay others;
 * one that crashes its decoder twice is described as not decodable.
 */
export async function runDescribe(deps: DescribeDeps, options: DescribeOptions, signal: AbortSignal): Promise<void> {
  const { catalog } = deps;
  const { whenIdle, onFailure, share, atOnce = 1, pollInterval = 10_000, patience = 1000, minBackoff = 1000 } = options;
  const news = createNotifier();
  const unsubscribe = catalog.onEvents(() => news.notify());
  const { postponed, ...attempts } = createAttempts(deps, options, signal);

  /** Tries every image that is due, and forgets failures of images that no longer exist. */
  async function pass(): Promise<void> {
    const met = new Set<string>();
    const isKnown = (image: UndescribedImage) => attempts.isRunning(image) || postponed.has(image);
    const backlog = createDescribeBacklog(catalog, { share, news: () => news.count, isKnown });
    const work = async (): Promise<void> => {
      for (let image = await backlog.next(); image !== undefined && !signal.aborted; image = await backlog.next()) {
        // It may have been described since its batch was read.
        const isDone = met.has(image.blobKey) && !postponed.has(image);
        met.add(image.blobKey);
        if (!isDone && !attempts.isRunning(image) && postponed.isDue(image)) await attempts.run(image);
        await setImmediate();
      }
    };
    const outcomes = await Promise.allSettled(Array.from({ length: atOnce }, work));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    postponed.forgetAllBut(met);
  }

  try {
    while (!signal.aborted) {
      const seen = news.count;
      try {
        await pass();
      } catch (error) {
        onFailure(error);
        await pause(minBackoff, signal);
      }
      await news.wait(seen, Math.min(pollInterval, Math.max(minBackoff, postponed.delay())), signal);
      // A stream of uploads notifies continuously.
      await whenIdle(patience, signal);
    }
  } finally {
    unsubscribe();
  }
}

/** Attempts at single images. A failure postpones the image; one that the image did not cause pauses the work too. */
function createAttempts(deps: DescribeDeps, options: DescribeOptions, signal: AbortSignal) {
  const { whenIdle, onFailure, onDamage = () => {}, patience = 1000 } = options;
  const { minBackoff = 1000, maxPause = 30_000, maxBackoff = 600_000 } = options;
  const postponed = createPostponedImages({ minBackoff, maxBackoff });
  /** Keys of blobs. */
  const running = new Set<string>();
  /** Consecutive failures that no single image caused. */
  let troubles = 0;

  async function run(image: UndescribedImage): Promise<void> {
    running.add(image.blobKey);
    try {
      await whenIdle(patience, signal);
      if (signal.aborted) return;
      const decoderMessage = await describeImage(deps, image, postponed.didHarm(image), signal);
      if (decoderMessage !== undefined) onDamage(image.imageId, decoderMessage);
      troubles = 0;
      postponed.forget(image);
    } catch (error) {
      if (signal.aborted) return;
      onFailure(error);
      if (!isItsOwn(error)) await pause(backoff({ minBackoff, maxBackoff: maxPause }, troubles++), signal);
      postponed.postpone(image, isHarm(error));
    } finally {
      running.delete(image.blobKey);
    }
  }

  return { postponed, run, isRunning: ({ blobKey }: UndescribedImage) => running.has(blobKey) };
}

/** Writes the description under the blob that was read: if the image has another by now, the catalog ignores it. */
async function describeImage(
  { catalog, blobs, renderer }: DescribeDeps,
  { imageId, blobKey, location, size, info }: UndescribedImage,
  didHarm: boolean,
  signal: AbortSignal,
): Promise<string | undefined> {
  await using original = await blobs.openLocal(location, { size });
  const { decoderMessage, ...description } = await renderer
    .describe(original.source, info, signal)
    .catch((error: unknown) => {
      // The first crash may be due to a busy machine or a stopped process; the second is put down to the image.
      if (didHarm && isHarm(error)) return { ...undecodable(error.message), decoderMessage: error.message };
      throw error;
    });
  await catalog.write({ type: "describeImage", imageId, blobKey, description });
  return decoderMessage;
}

/** Whether the image itself caused the error, so that others may succeed. */
const isItsOwn = (error: unknown): boolean =>
  isHarm(error) ||
  (error instanceof StoreError && (error.code === "blob_damaged" || error.members["reason"] === "stalled"));

const isHarm = (error: unknown): error is StoreError => error instanceof StoreError && error.code === "invalid_image";
