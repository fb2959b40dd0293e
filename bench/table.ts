import { type Goal, goalMet, type Row, ratioOf, type Series, type Unit } from "./frame.ts";
import type { Machine } from "./machine.ts";
import { median } from "./statistics.ts";

export interface Report {
  readonly date: string;
  readonly smoke: boolean;
  readonly runs: number;
  readonly machine: Machine;
  readonly benchmarks: readonly { readonly name: string; readonly rows: readonly Row[] }[];
}

/** The rows as a Markdown table that a terminal shows aligned, ready for the README. */
export function formatTable(rows: readonly Row[]): string {
  const cells = [
    ["work", "ours", "against", "ratio", "goal", ""],
    ...rows.map((row) => [
      row.at === undefined ? row.work : `${row.work}: ${row.at}`,
      row.ours === undefined ? "not measured" : formatSeries(row.ours),
      formatPeer(row),
      formatRatio(ratioOf(row)),
      row.goal === undefined ? "" : formatGoal(row),
      row.note ?? "",
    ]),
  ];
  return formatCells(cells);
}

/** A row of figures beside each other: each contender's rate, and its processor time of a request in microseconds. */
export interface MatrixRow {
  readonly work: string;
  readonly cells: ReadonlyMap<string, { readonly perSecond: readonly number[]; readonly cpu: number }>;
}

/** A Markdown table with a column for each name. A cell is empty where there is no figure. */
export function formatMatrix(names: readonly string[], rows: readonly MatrixRow[]): string {
  const cell = (row: MatrixRow, name: string): string => {
    const figures = row.cells.get(name);
    if (figures === undefined) return "";
    return `${formatFigure(median(figures.perSecond), "/s")}, ${formatFigure(figures.cpu, "µs")}`;
  };
  return formatCells([["work", ...names], ...rows.map((row) => [row.work, ...names.map((name) => cell(row, name))])]);
}

function formatCells(cells: readonly (readonly string[])[]): string {
  const widths = (cells[0] ?? []).map((_, column) => Math.max(3, ...cells.map((line) => line[column]?.length ?? 0)));
  const lines = cells.map((line) => `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`);
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  return [lines[0], rule, ...lines.slice(1)].join("\n");
}

/** Summary figures, so readers of the JSON file need not compute them. */
export const summarise = (row: Row) => ({
  ...row,
  median: row.ours === undefined ? null : median(row.ours.runs),
  ratio: ratioOf(row) ?? null,
  goalMet: goalMet(row) ?? null,
});

function formatSeries({ unit, runs }: Series): string {
  const middle = formatFigure(median(runs), unit);
  return runs.length < 2 ? middle : `${middle} (${formatNumber(Math.min(...runs))}–${formatNumber(Math.max(...runs))})`;
}

function formatPeer({ against }: Row): string {
  if (against === undefined) return "";
  return "missing" in against
    ? `${against.name}: NOT RUN, ${against.missing}`
    : `${against.name}: ${formatSeries(against.series)}`;
}

function formatGoal(row: Row): string {
  const goal = row.goal as Goal;
  const sign = goal.bound === "least" ? "≥" : "≤";
  const value =
    goal.of === "ratio" ? `${goal.value}×` : formatFigure(goal.value, row.ours === undefined ? "ms" : row.ours.unit);
  const met = goalMet(row);
  return `${sign} ${value}${met === undefined ? "" : met ? ", met" : ", MISSED"}`;
}

const formatRatio = (ratio: number | undefined): string => (ratio === undefined ? "" : `${ratio.toFixed(2)}×`);

const formatFigure = (value: number, unit: Unit): string =>
  `${formatNumber(value)}${unit === "/s" ? "/s" : ` ${unit}`}`;

const formatNumber = (value: number): string =>
  value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 });
