import { median } from "./statistics.ts";

/** A family of rows. Each file of this folder whose name the command line takes exports one. */
export interface Benchmark {
  readonly name: string;
  readonly about: string;
  run(context: Context): Promise<readonly Row[]>;
}

export interface Context {
  /** Everything small: it shows that the program works, and its figures mean nothing. */
  readonly smoke: boolean;
  /** How often each side is measured, in turn. */
  readonly runs: number;
  /** How long one run of one side lasts, given what it lasts at full size. */
  readonly seconds: (full: number) => number;
  /** Minutes of load for the rows that soak; undefined: their default. */
  readonly minutes: number | undefined;
  /** An empty folder on the disk that is measured, removed at the end. */
  readonly folder: string;
  /** Kept from one invocation to the next. */
  readonly cache: string;
  /** Progress, on standard error. */
  readonly say: (text: string) => void;
}

export type Unit = "/s" | "ms" | "µs" | "KB" | "MB" | "trips";

/** One side's figure of each run. */
export interface Series {
  readonly unit: Unit;
  readonly runs: readonly number[];
}

/** What ours is compared with in the same run, or why it could not be. */
type Peer = { readonly name: string; readonly series: Series } | { readonly name: string; readonly missing: string };

export interface Goal {
  readonly of: "ratio" | "ours";
  readonly bound: "least" | "most";
  readonly value: number;
}

export interface Row {
  readonly work: string;
  /** Undefined where the work could not be done at all; the note says why. */
  readonly ours: Series | undefined;
  readonly against?: Peer;
  readonly goal?: Goal;
  readonly note?: string;
}

/**
 * Measures each contender once, in turn, and that `runs` times, so that whatever else the machine does meets all alike;
 * every second time in the other order, so that none has the first turn always.
 * A contender that throws ends the benchmark: a figure with errors in it is none.
 */
export async function interleave<Name extends string>(
  runs: number,
  contenders: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(contenders) as Name[];
  const figures = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let run = 0; run < runs; run++) {
    for (const name of run % 2 === 0 ? names : names.toReversed()) figures[name].push(await contenders[name]());
  }
  return figures;
}

/**
 * Ours by theirs: the median of the ratios of the runs that stood side by side, which a drift of the machine moves less
 * than a ratio of medians.
 */
export function ratioOf(row: Row): number | undefined {
  if (row.ours === undefined || row.against === undefined || "missing" in row.against) return undefined;
  const theirs = row.against.series.runs;
  return median(row.ours.runs.map((ours, run) => ours / (theirs[run] ?? Number.NaN)));
}

/** Undefined where there is no goal or no figure to hold against it. */
export function goalMet(row: Row): boolean | undefined {
  if (row.goal === undefined || row.ours === undefined) return undefined;
  const value = row.goal.of === "ratio" ? ratioOf(row) : median(row.ours.runs);
  if (value === undefined) return undefined;
  return row.goal.bound === "least" ? value >= row.goal.value : value <= row.goal.value;
}
