import type { BlobStore, Catalog } from "../ports.ts";
import type { Metrics } from "./metrics.ts";

/**
 * All metrics as text. What the store holds and how far the relay is behind are read now, so that nothing counts them
 * in between; what does not answer keeps its last value, since the rest is wanted most then.
 */
export async function scrape(
  metrics: Metrics,
  parts: {
    catalog: Pick<Catalog, "totals" | "cursors">;
    blobs: Pick<BlobStore, "probe">;
    relayCursor: string | undefined;
  },
): Promise<string> {
  const [totals, space, cursors] = await Promise.allSettled([
    parts.catalog.totals(),
    parts.blobs.probe(),
    parts.relayCursor === undefined ? [] : parts.catalog.cursors(),
  ]);
  if (totals.status === "fulfilled") {
    metrics.albums.set(totals.value.albums);
    metrics.images.set(totals.value.images);
    metrics.imageBytes.set(totals.value.bytes);
  }
  if (space.status === "fulfilled") {
    // Where the store does not know, none is better than the 0 that a gauge begins with.
    if (space.value.freeBytes === undefined) metrics.freeBytes.remove();
    else metrics.freeBytes.set(space.value.freeBytes);
  }
  if (cursors.status === "fulfilled") {
    const relay = cursors.value.find((cursor) => cursor.name === parts.relayCursor);
    if (relay !== undefined) {
      metrics.relayLagEvents.set(relay.lagEvents);
      metrics.relayLagSeconds.set(relay.lagSeconds);
    }
  }
  return metrics.registry.metrics();
}
