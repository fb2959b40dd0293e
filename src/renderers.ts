import { availableParallelism } from "node:os";
import { createProber } from "./adapters/renderer/probe.ts";
import { createRenderer } from "./adapters/renderer/renderer.ts";
import { openVariantCache } from "./adapters/variants/variant-cache.ts";
import type { Config } from "./config.ts";
import { measureProber, measureRenderer } from "./observe/measure.ts";
import type { Metrics } from "./observe/metrics.ts";
import { observeVariantCache } from "./observe/observers.ts";
import type { Prober, Renderer, VariantCache } from "./ports.ts";
import { atPath } from "./stores.ts";

export const openCacheOfVariants = (
  { variantCache, minFree, imageCache }: Config,
  metrics: Metrics,
): Promise<VariantCache> =>
  atPath(variantCache.folder, () =>
    openVariantCache({ ...variantCache, minFree, memoryBytes: imageCache, observer: observeVariantCache(metrics) }),
  );

export const createImageProber = ({ limits }: Config, metrics: Metrics): Prober =>
  measureProber(
    createProber({
      maxPixels: limits.maxPixels,
      acceptTiff: limits.acceptTiff,
      children: availableParallelism(),
    }),
    metrics.rendererDuration,
  );

/** It has its own child processes, so no upload waits for a variant. */
export const createPictureRenderer = ({ limits, renderers, exposeLocation }: Config, metrics: Metrics): Renderer =>
  measureRenderer(
    createRenderer({
      maxPixels: limits.maxPixels,
      exposeLocation,
      children: renderers,
    }),
    metrics.rendererDuration,
  );
