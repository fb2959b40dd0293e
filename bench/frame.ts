import { median } from "./statistics.ts";

/** A family of rows. Each benchmark that the command line accepts is one. */
export interface Benchmark {
  readonly name: string;
  readonly about: string;
  run(context: Context): Promise<readonly Row[]>;
}

export interface Context {
  /** Small sizes and short runs, to check the programs; the figures are meaningless. */
  readonly smoke: boolean;
  /** Runs per contender, interleaved. */
  readonly runs: number;
  /** Duration of one run, given its duration at full size. */
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

export type Unit = "/s" | "ms" | "µs" | "KB" | "MB" | "trips" | "requests" | "objects" | "points";

/** One side's figure of each run. */
export interface Series {
  readonly unit: Unit;
  readonly runs: readonly number[];
}

/** The contender in the same run, or why it is missing. */
type Peer = { readonly name: string; readonly series: Series } | { readonly name: string; readonly missing: string };

export interface Goal {
  readonly of: "ratio" | "ours";
  readonly bound: "least" | "most";
  readonly value: number;
}

export interface Row {
  readonly work: string;
  /** Where rows of the same work are points of a plot: the number on its axis. */
  readonly at?: number;
  /** Undefined when the work could not be run; the note says why. */
  readonly ours: Series | undefined;
  readonly against?: Peer;
  readonly goal?: Goal;
  readonly note?: string;
}

/**
 * Measures the contenders in turn, `runs` times, so other load on the machine affects all of them alike. Every second
 * round runs in reverse order, unless each contender needs what the one before it left. A contender that throws ends the benchmark, since figures with errors are invalid.
 */
export async function interleave<Name extends string>(
  runs: number,
  contenders: Readonly<Record<Name, () => Promise<number>>>,
  { inOrder = false }: { readonly inOrder?: boolean } = {},
): Promise<Record<Name, number[]>> {
  const names = Object.keys(contenders) as Name[];
  const figures = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let run = 0; run < runs; run++) {
    for (const name of inOrder || run % 2 === 0 ? names : names.toReversed())
      figures[name].push(await contenders[name]());
  }
  return figures;
}

/**
 * Ours divided by theirs: the median of the ratios of adjacent runs, which is less sensitive to a drift of the machine
 * than a ratio of medians.
 */
export function ratioOf(row: Row): number | undefined {
  if (row.ours === undefined || row.against === undefined || "missing" in row.against) return undefined;
  const theirs = row.against.series.runs;
  return median(row.ours.runs.map((ours, run) => ours / (theirs[run] ?? Number.NaN)));
}

/** Undefined without a goal or without a figure. */
export function goalMet(row: Row): boolean | undefined {
  if (row.goal === undefined || row.ours === undefined) return undefined;
  const value = row.goal.of === "ratio" ? ratioOf(row) : median(row.ours.runs);
  if (value === undefined) return undefined;
  return row.goal.bound === "least" ? value >= row.goal.value : value <= row.goal.value;
}
