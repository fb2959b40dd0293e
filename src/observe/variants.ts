import type { Metrics } from "./metrics.ts";

/** What the cache of variants tells, as metrics. */
export function observeVariantCache(
  metrics: Pick<Metrics, "variantLookups" | "variantEvictions" | "variantCacheBytes" | "variantCacheEntries">,
) {
  return {
    found(hit: boolean): void {
      metrics.variantLookups.inc({ outcome: hit ? "hit" : "miss" });
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
