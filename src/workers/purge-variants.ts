import { setImmediate } from "node:timers/promises";
import { StoreError } from "../domain/errors.ts";
import type { EventType, StoredEvent } from "../domain/event.ts";
import type { Image } from "../domain/image.ts";
import { createWakeUp } from "../domain/wake-up.ts";
import type { Catalog, VariantCache } from "../ports.ts";
import { type Backoff, backoff } from "./backoff.ts";

export interface VariantPurgePorts {
  readonly catalog: Pick<Catalog, "events" | "log" | "onEvents">;
  readonly cache: Pick<VariantCache, "purge" | "clear" | "position" | "setPosition">;
}

export interface VariantPurgeOptions extends Backoff {
  readonly onFailure: (error: unknown) => void;
  /** Milliseconds. */
  readonly pollInterval?: number;
  /** Between two looks at the log, however much happens: nobody waits for this. Milliseconds. */
  readonly restInterval?: number;
}

const TYPES: readonly EventType[] = ["imagestore.image.updated", "imagestore.image.deleted"];
/** Events that are looked at without a pause for requests. */
const BATCH = 500;

/**
 * Follows the log and takes out of the cache what was made of images that are gone or have other bytes, until the signal
 * aborts. Whatever fails is told and tried again. Requests never wait for this, nor does it hold the log's retention
 * back: who asks for a variant has read the image's record first.
 */
export async function runVariantPurge(
  ports: VariantPurgePorts,
  options: VariantPurgeOptions,
  signal: AbortSignal,
): Promise<void> {
  const { onFailure, pollInterval = 1000, restInterval = 100 } = options;
  const wakeUp = createWakeUp();
  const pause = createWakeUp();
  const unsubscribe = ports.catalog.onEvents(() => wakeUp.ring());
  let attempts = 0;
  try {
    while (!signal.aborted) {
      const seen = wakeUp.count;
      try {
        const { atEnd } = await purgeOnce(ports);
        attempts = 0;
        if (!atEnd) await setImmediate();
        else {
          await pause.wait(0, restInterval, signal);
          await wakeUp.wait(seen, pollInterval, signal);
        }
      } catch (error) {
        onFailure(error);
        await pause.wait(0, backoff(options, attempts++), signal);
      }
    }
  } finally {
    unsubscribe();
  }
}

/** The next events after the cache's position. Where the log does not know that any more, the whole cache goes. */
export async function purgeOnce({ catalog, cache }: VariantPurgePorts): Promise<{ atEnd: boolean }> {
  const after = cache.position();
  const batch = after && (await catalog.events({ after, limit: BATCH, types: TYPES }).catch(undefinedIfRefused));
  if (after === undefined || batch === undefined) {
    await startOver({ catalog, cache });
    return { atEnd: false };
  }
  for (const event of batch.events) await purge(cache, event);
  if (batch.next.seq !== after.seq) cache.setPosition(batch.next);
  return { atEnd: batch.atEnd };
}

/** The head is read first: what is deleted from then on has events after it, and what was made until now goes. */
async function startOver({ catalog, cache }: VariantPurgePorts): Promise<void> {
  const { epoch, head } = await catalog.log();
  await cache.clear();
  cache.setPosition({ epoch, seq: head });
}

/** The digest is the event's. Where the bytes were replaced once more since, what was made of the last goes too. */
async function purge(cache: Pick<VariantCache, "purge">, { type, imageId, data }: StoredEvent): Promise<void> {
  if (imageId === null) return;
  if (type === "imagestore.image.deleted") await cache.purge(imageId);
  else await cache.purge(imageId, (JSON.parse(data) as Image).sha256);
}

function undefinedIfRefused(error: unknown): undefined {
  if (error instanceof StoreError && (error.code === "cursor_expired" || error.code === "cursor_unknown")) return;
  throw error;
}
