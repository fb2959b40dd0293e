import type { Metrics } from "./metrics.ts";

/** What the cache of originals tells, as metrics. */
export function observeOriginalsCache(
  metrics: Pick<Metrics, "originalLookups" | "originalEvictions" | "originalsCacheBytes" | "originalsCacheEntries">,
) {
  const hits = metrics.originalLookups.labels({ outcome: "hit" });
  const misses = metrics.originalLookups.labels({ outcome: "miss" });
  return {
    found(hit: boolean): void {
      (hit ? hits : misses).inc();
    },
    evicted(originals: number): void {
      metrics.originalEvictions.inc(originals);
    },
    holds({ bytes, entries }: { bytes: number; entries: number }): void {
      metrics.originalsCacheBytes.set(bytes);
      metrics.originalsCacheEntries.set(entries);
    },
  };
}
