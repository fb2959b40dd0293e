import { Histogram, type Registry } from "prom-client";

/** Seconds. From a record read in memory to an upload over a slow line. */
export const DURATION_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];

/** How long things took, by two labels whose values are few. */
export interface Durations {
  add(first: string, second: string | number, seconds: number): void;
}

interface Series {
  /** Each without what the buckets before it hold. */
  readonly buckets: number[];
  count: number;
  sum: number;
}

export interface DurationsOptions {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly [string, string];
}

/**
 * A histogram of the registry that counts by itself: of the labels and of the bucket the library makes a text each time,
 * which took a twentieth of a small request.
 */
export function createDurations(registry: Registry, { name, help, labelNames }: DurationsOptions): Durations {
  const all = new Map<string, Map<string | number, Series>>();

  const begin = (first: string, second: string | number): Series => {
    const series = { buckets: DURATION_BUCKETS.map(() => 0), count: 0, sum: 0 };
    const ofFirst = all.get(first) ?? new Map<string | number, Series>();
    all.set(first, ofFirst.set(second, series));
    return series;
  };

  const valuesOf = ({ buckets, count, sum }: Series, labels: Readonly<Record<string, string | number>>) => {
    let upTo = 0;
    const inBuckets = buckets.map((inBucket, index) => {
      upTo += inBucket;
      return { metricName: `${name}_bucket`, labels: { le: DURATION_BUCKETS[index], ...labels }, value: upTo };
    });
    return [
      ...inBuckets,
      { metricName: `${name}_bucket`, labels: { le: "+Inf", ...labels }, value: count },
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  };

  const get = async () => {
    const [firstName, secondName] = labelNames;
    const values = Array.from(all, ([first, ofFirst]) =>
      Array.from(ofFirst, ([second, series]) => valuesOf(series, { [firstName]: first, [secondName]: second })),
    );
    return { name, help, type: "histogram", aggregator: "sum", values: values.flat(2) };
  };
  const histogram = new Histogram({ name, help, labelNames, buckets: DURATION_BUCKETS, registers: [registry] });
  // The registry asks the second one for its text, where there is one.
  Object.assign(histogram, { get, getForPromString: get });

  return {
    add(first, second, seconds) {
      const series = all.get(first)?.get(second) ?? begin(first, second);
      series.count += 1;
      series.sum += seconds;
      const bucket = DURATION_BUCKETS.findIndex((bound) => seconds <= bound);
      if (bucket >= 0) series.buckets[bucket] = (series.buckets[bucket] as number) + 1;
    },
  };
}
