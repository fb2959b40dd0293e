import { setImmediate } from "node:timers/promises";
import { StoreError } from "../domain/errors.ts";
import { notSound } from "../domain/image.ts";
import { createWakeUp } from "../domain/wake-up.ts";
import type { BlobStore, Catalog, Renderer, UndescribedImage } from "../ports.ts";

export interface DescribePorts {
  readonly catalog: Pick<Catalog, "undescribedImages" | "write" | "onEvents">;
  readonly blobs: Pick<BlobStore, "lend">;
  readonly renderer: Pick<Renderer, "describe">;
}

export interface DescribeOptions {
  /** Resolves when no upload is running, or after so many milliseconds, or when the signal aborts. */
  readonly whenIdle: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Of an image that is tried again later. */
  readonly onFailure: (error: unknown) => void;
  /** Times in milliseconds. */
  readonly pollInterval?: number;
  /** How long one image may have to wait for uploads. */
  readonly patience?: number;
  readonly minBackoff?: number;
  /** Of one image. */
  readonly maxBackoff?: number;
  /** Of all, while the store is in trouble. */
  readonly maxPause?: number;
}

/** Tried before newer ones are looked for. */
const BATCH = 20;

/** Bytes that could not be described when it was tried. */
interface Postponed {
  readonly failures: number;
  /** The decoder came to harm over them. */
  readonly didHarm: boolean;
  /** On the clock of `performance`. */
  readonly until: number;
}

/**
 * Describes the images that have no description, one at a time and the newest first, until the signal aborts: somebody
 * waits for those, while a store full of old ones takes hours. Requests go first: each image waits until no upload is
 * running, though not for ever. What fails is tried again later, and never holds up the others; what harms the decoder
 * twice is described as not sound.
 */
export async function runDescribe(ports: DescribePorts, options: DescribeOptions, signal: AbortSignal): Promise<void> {
  const { catalog } = ports;
  const { whenIdle, onFailure, pollInterval = 10_000, patience = 1000, minBackoff = 1000 } = options;
  const { maxPause = 30_000, maxBackoff = 600_000 } = options;
  const wakeUp = createWakeUp();
  const unsubscribe = catalog.onEvents(() => wakeUp.ring());
  const pause = createWakeUp();
  /** By blob key: other bytes are another matter. */
  let postponed = new Map<string, Postponed>();
  /** In a row, none of them an image's own. */
  let troubles = 0;

  /** Until nothing is left that was never tried. Images that are not there any more are not remembered either. */
  async function pass(): Promise<void> {
    let still = new Map<string, Postponed>();
    let seen = wakeUp.count;
    for (let before: string | undefined; ; ) {
      const images = await catalog.undescribedImages(BATCH, before);
      before = images.at(-1)?.imageId;
      if (before === undefined) break;
      let areNew = false;
      for (const image of images) {
        const earlier = postponed.get(image.blobKey);
        areNew ||= earlier === undefined;
        const isDue = earlier === undefined || earlier.until <= performance.now();
        const outcome = isDue ? await attempt(image, earlier) : earlier;
        if (signal.aborted) return;
        if (outcome === undefined) continue;
        postponed.set(image.blobKey, outcome);
        still.set(image.blobKey, outcome);
      }
      // Newer ones may have come. What only failed again must not keep the worker from what is behind it.
      if (areNew && wakeUp.count > seen) [before, still, seen] = [undefined, new Map(), wakeUp.count];
      await setImmediate();
    }
    postponed = still;
  }

  /** Answers when to come back to it, if it was not described. */
  async function attempt(image: UndescribedImage, before: Postponed | undefined): Promise<Postponed | undefined> {
    await whenIdle(patience, signal);
    if (signal.aborted) return undefined;
    try {
      await describeImage(ports, image, before?.didHarm === true, signal);
      troubles = 0;
      return undefined;
    } catch (error) {
      if (signal.aborted) return undefined;
      onFailure(error);
      const didHarm = isHarm(error);
      const isItsOwn = didHarm || (error instanceof StoreError && error.code === "blob_damaged");
      if (!isItsOwn) await pause.wait(0, Math.min(maxPause, minBackoff * 2 ** troubles++), signal);
      const { failures = 0 } = before ?? {};
      return {
        failures: failures + 1,
        didHarm,
        until: performance.now() + Math.min(maxBackoff, minBackoff * 2 ** failures),
      };
    }
  }

  try {
    while (!signal.aborted) {
      const seen = wakeUp.count;
      try {
        await pass();
      } catch (error) {
        onFailure(error);
        await pause.wait(0, minBackoff, signal);
      }
      const next = postponed.values().reduce((first, { until }) => Math.min(first, until), Number.POSITIVE_INFINITY);
      await wakeUp.wait(seen, Math.min(pollInterval, Math.max(minBackoff, next - performance.now())), signal);
      // A stream of uploads rings all the time.
      await whenIdle(patience, signal);
    }
  } finally {
    unsubscribe();
  }
}

/** Names the blob that was read: the image may have another by now, and then nothing is written. */
async function describeImage(
  { catalog, blobs, renderer }: DescribePorts,
  { imageId, blobKey, location, size, info }: UndescribedImage,
  didHarm: boolean,
  signal: AbortSignal,
): Promise<void> {
  const description = await blobs
    .lend(location, { size }, (source) => renderer.describe(source, info, signal))
    .catch((error: unknown) => {
      // A busy machine, or somebody who ended the process, may have been the cause: it counts when it happens again.
      if (didHarm && isHarm(error)) return notSound(error.message);
      throw error;
    });
  await catalog.write({ type: "describeImage", imageId, blobKey, description });
}

const isHarm = (error: unknown): error is StoreError => error instanceof StoreError && error.code === "invalid_image";
