import type { Metrics } from "./metrics.ts";

/** What the cache of variants tells, as metrics. */
export function observeVariantCache(
  metrics: Pick<Metrics, "variantLookups" | "variantEvictions" | "variantCacheBytes" | "variantCacheEntries">,
) {
  // Looked up once: it happens at every request for a variant.
  const hits = metrics.variantLookups.labels({ outcome: "hit" });
  const misses = metrics.variantLookups.labels({ outcome: "miss" });
  return {
    found(hit: boolean): void {
      (hit ? hits : misses).inc();
    },
    evicted(variants: number): void {
      metrics.variantEvictions.inc(variants);
    },
    holds({ bytes, entries }: { bytes: number; entries: number }): void {
      metrics.variantCacheBytes.set(bytes);
      metrics.variantCacheEntries.set(entries);
    },
  };
}
