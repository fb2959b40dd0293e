import { setImmediate } from "node:timers/promises";
import { pause } from "../concurrency/clock.ts";
import { createNotifier } from "../concurrency/notifier.ts";
import { type Backoff, backoff } from "../concurrency/retry.ts";
import { StoreError } from "../domain/errors.ts";
import type { EventData, EventType, StoredEvent } from "../domain/event.ts";
import type { Image } from "../domain/image.ts";
import type { Catalog, VariantCache } from "../ports.ts";

export interface VariantPurgeDeps {
  readonly catalog: Pick<Catalog, "events" | "log" | "onEvents">;
  readonly cache: Pick<VariantCache, "purge" | "clear" | "position" | "setPosition">;
}

export interface VariantPurgeOptions extends Backoff {
  readonly onFailure: (error: unknown) => void;
  /** Milliseconds between reads of a log that has not notified. */
  readonly pollInterval?: number;
  /** Least milliseconds between two reads of the log: no request waits for the purge. */
  readonly restInterval?: number;
}

const TYPES: readonly EventType[] = ["imagestore.image.updated", "imagestore.image.deleted"];
/** Events processed without a pause for requests. */
const BATCH = 500;

/**
 * Follows the log and removes the variants of deleted and replaced images from the cache, until the signal aborts. Failures
 * are reported and retried. No request waits for it, and it does not hold back the log's retention: a request for a variant
 * reads the image's record first.
 */
export async function runVariantPurge(
  deps: VariantPurgeDeps,
  options: VariantPurgeOptions,
  signal: AbortSignal,
): Promise<void> {
  const { onFailure, pollInterval = 1000, restInterval = 100 } = options;
  const notifier = createNotifier();
  const unsubscribe = deps.catalog.onEvents(() => notifier.notify());
  let attempts = 0;
  try {
    while (!signal.aborted) {
      const seen = notifier.count;
      try {
        const { atEnd } = await purgeOnce(deps);
        attempts = 0;
        if (!atEnd) await setImmediate();
        else {
          await pause(restInterval, signal);
          await notifier.wait(seen, pollInterval, signal);
        }
      } catch (error) {
        onFailure(error);
        await pause(backoff(options, attempts++), signal);
      }
    }
  } finally {
    unsubscribe();
  }
}

/** Processes the next events after the cache's position. If the log no longer has that position, the cache is cleared. */
export async function purgeOnce({ catalog, cache }: VariantPurgeDeps): Promise<{ atEnd: boolean }> {
  const after = cache.position();
  const batch =
    after && (await catalog.events({ visibility: "all", after, limit: BATCH, types: TYPES }).catch(undefinedIfRefused));
  if (after === undefined || batch === undefined) {
    await startOver({ catalog, cache });
    return { atEnd: false };
  }
  for (const event of batch.events) await purge(cache, event);
  if (batch.next.seq !== after.seq) cache.setPosition(batch.next);
  return { atEnd: batch.atEnd };
}

/** The last number is read first: what is deleted from then on has events after it, and what was made until now goes. */
async function startOver({ catalog, cache }: VariantPurgeDeps): Promise<void> {
  const { epoch, lastSequence } = await catalog.log();
  await cache.clear();
  cache.setPosition({ epoch, seq: lastSequence });
}

/** Keeps variants of the event's digest only. If the bytes were replaced again since, the latest variants go too. */
async function purge(cache: Pick<VariantCache, "purge">, { type, imageId, data }: StoredEvent): Promise<void> {
  if (imageId === null) return;
  const { reason, sha256 } = JSON.parse(data) as EventData & Pick<Image, "sha256">;
  if (type === "imagestore.image.deleted" && reason !== "moved") await cache.purge(imageId);
  else await cache.purge(imageId, sha256);
}

function undefinedIfRefused(error: unknown): undefined {
  if (error instanceof StoreError && (error.code === "cursor_expired" || error.code === "cursor_unknown")) return;
  throw error;
}
