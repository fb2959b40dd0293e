/**
 * Draws the plots of docs/performance.md from the JSON that `npm run bench -- connections --json FILE` writes:
 * `bun bench/draw-plots.ts FILE`.
 */
import { join } from "node:path";
import { LATENCY, THROUGHPUT } from "./connections.ts";
import type { Row } from "./frame.ts";
import { drawPlot, type Line } from "./plot.ts";
import { median } from "./statistics.ts";
import type { Report } from "./table.ts";

const DOCS = join(import.meta.dir, "..", "docs");
const OURS = "Image Store";

const report = (await Bun.file(process.argv[2] ?? "").json()) as Report;
const rows = report.benchmarks.flatMap((benchmark) => benchmark.rows);

function throughput(): string {
  const lines = linesOf(THROUGHPUT);
  return drawPlot({
    title: "GET of 4 KB: requests a second by connections",
    description: describe(
      lines,
      (connections) => `${connections} connections`,
      (rate) => `${Math.round(rate)}/s`,
    ),
    x: { title: "connections", isLogarithmic: true, label: String },
    y: { title: "requests a second", isLogarithmic: false, label: (rate) => (rate === 0 ? "0" : `${rate / 1000}k`) },
    lines,
  });
}

function latency(): string {
  const lines = linesOf(LATENCY);
  const percents = (lines[0]?.points ?? []).map(([percent]) => percent);
  // They stand side by side: on any scale the last two would be one.
  const placed = lines.map((line) => ({ ...line, points: line.points.map(([, ms], place) => [place, ms] as const) }));
  return drawPlot({
    title: "GET of 4 KB, 32 connections: latency by percentile",
    description: describe(
      lines,
      (percent) => `p${percent}`,
      (ms) => `${ms.toFixed(2)} ms`,
    ),
    x: { title: "percentile", isLogarithmic: false, label: (place) => `p${percents[place]}` },
    y: { title: "milliseconds", isLogarithmic: true, label: String },
    lines: placed,
  });
}

/** Ours, and each that it is compared with. The figures are medians. */
function linesOf(work: string): readonly Line[] {
  const points = rows.filter((row) => row.work === work && row.at !== undefined);
  if (points.length === 0) throw new Error(`The file has no rows of "${work}".`);
  const names = [...new Set(points.map(nameOf))];
  const ours = points.filter((row) => nameOf(row) === names[0]);
  return [
    line(OURS, ours, (row) => row.ours?.runs ?? []),
    ...names.map((name) =>
      line(
        name,
        points.filter((row) => nameOf(row) === name),
        ({ against }) => (against !== undefined && "series" in against ? against.series.runs : []),
      ),
    ),
  ];
}

const line = (name: string, points: readonly Row[], runsOf: (row: Row) => readonly number[]): Line => ({
  name,
  points: points.map((row) => [row.at ?? 0, median(runsOf(row))] as const).toSorted(([one], [other]) => one - other),
});

const nameOf = ({ against }: Row): string => against?.name ?? "";

const describe = (lines: readonly Line[], x: (value: number) => string, y: (value: number) => string): string =>
  lines
    .map(({ name, points }) => `${name}: ${points.map(([at, value]) => `${x(at)} ${y(value)}`).join(", ")}.`)
    .join(" ");

await Bun.write(join(DOCS, "throughput.svg"), throughput());
await Bun.write(join(DOCS, "latency.svg"), latency());
