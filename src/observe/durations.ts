import type { Metric, Registry } from "prom-client";

/** Seconds: from a record read in memory to an upload over a slow line. */
export const DURATION_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];

/** How long things took, by two labels that have few values. */
export interface Durations {
  observe(first: string, second: string | number, seconds: number): void;
}

interface Series {
  /** Of each bucket alone, not cumulative as in a scrape. */
  readonly buckets: number[];
  count: number;
  sum: number;
}

export interface DurationsOptions {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly [string, string];
}

/** A histogram of the registry that makes no text of its labels at an observation (docs/adr/0013). */
export function createDurations(registry: Registry, { name, help, labelNames }: DurationsOptions): Durations {
  const all = new Map<string, Map<string | number, Series>>();
  const [firstName, secondName] = labelNames;

  function begin(first: string, second: string | number): Series {
    const series = { buckets: DURATION_BUCKETS.map(() => 0), count: 0, sum: 0 };
    const ofFirst = all.get(first) ?? new Map<string | number, Series>();
    all.set(first, ofFirst.set(second, series));
    return series;
  }

  function valuesOf({ buckets, count, sum }: Series, labels: Readonly<Record<string, string | number>>) {
    let upTo = 0;
    const cumulative = buckets.map((inBucket, index) => {
      upTo += inBucket;
      return { metricName: `${name}_bucket`, labels: { le: DURATION_BUCKETS[index], ...labels }, value: upTo };
    });
    return [
      ...cumulative,
      { metricName: `${name}_bucket`, labels: { le: "+Inf", ...labels }, value: count },
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }

  async function get() {
    const values = Array.from(all, ([first, ofFirst]) =>
      Array.from(ofFirst, ([second, series]) => valuesOf(series, { [firstName]: first, [secondName]: second })),
    );
    return { name, help, type: "histogram", aggregator: "sum", values: values.flat(2) };
  }

  // A scrape needs no more of a metric than its name and `get`.
  registry.registerMetric({ name, get } as unknown as Metric);

  return {
    observe(first, second, seconds) {
      const series = all.get(first)?.get(second) ?? begin(first, second);
      series.count += 1;
      series.sum += seconds;
      const bucket = DURATION_BUCKETS.findIndex((bound) => seconds <= bound);
      if (bucket >= 0) series.buckets[bucket] = (series.buckets[bucket] as number) + 1;
    },
  };
}
