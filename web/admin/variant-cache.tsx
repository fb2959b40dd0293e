import { useRef } from "preact/hooks";
import { formatBytes, formatCount, formatShare } from "../shared/format.ts";
import { readMetrics } from "../shared/store.ts";
import { texts } from "../texts-admin.ts";
import { Figures, Section, useLoaded } from "./section.tsx";

interface Cache {
  readonly variants: number;
  readonly bytes: number;
  /** Of the requests for variants, from 0 to 1; undefined: there was none. */
  readonly found: number | undefined;
}

async function readCache(): Promise<Cache> {
  const metrics = await readMetrics();
  const value = (name: string) => metrics.get(`image_store_variant_${name}`) ?? 0;
  const hits = value('lookups_total{outcome="hit"}');
  const lookups = hits + value('lookups_total{outcome="miss"}');
  return {
    variants: value("cache_entries"),
    bytes: value("cache_bytes"),
    found: lookups === 0 ? undefined : hits / lookups,
  };
}

/** The variants that the node that answers has in its cache. */
export function VariantCache() {
  const root = useRef<HTMLElement>(null);
  // All metrics are much to load for what most visits don't scroll to.
  const loaded = useLoaded(readCache, root);
  const cache = loaded.data.value;
  return (
    <Section title={texts.cache.title} loaded={loaded} root={root}>
      {cache !== undefined && (
        <>
          <Figures
            figures={[
              [texts.cache.variants, formatCount(cache.variants)],
              [texts.cache.bytes, formatBytes(cache.bytes)],
              [texts.cache.found, cache.found === undefined ? texts.cache.none : formatShare(cache.found)],
            ]}
          />
          <p class="small muted">{texts.cache.hint}</p>
        </>
      )}
    </Section>
  );
}
