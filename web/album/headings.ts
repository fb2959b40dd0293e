import { formatDay, formatMonth } from "../shared/format.ts";
import { texts } from "../texts.ts";
import type { ImageOrder } from "./album-state.ts";
import type { Columns } from "./columns.ts";

const DAY_MS = 86_400_000;
/** Fewer pictures a day than this are put together by month. */
const DENSE = 5;
const SAMPLE = 1000;

/** The time of a picture, NaN where it is not known. */
export type TimeOf = (index: number) => number;

/** The times by which an album is ordered; undefined for orders without dates. */
export function createTimeOf(columns: Columns, order: ImageOrder): TimeOf | undefined {
  // Columns that grow are other arrays.
  if (order.endsWith("createdAt")) return (index) => columns.createdAt[index] ?? Number.NaN;
  return order.endsWith("takenAt") ? (index) => columns.takenAt[index] ?? Number.NaN : undefined;
}

/** Which heading a picture stands under; undefined for orders without dates. */
export function createHeadingOf(
  columns: Columns,
  order: ImageOrder,
  isShort: boolean,
): ((index: number) => string) | undefined {
  const timeOf = createTimeOf(columns, order);
  if (timeOf === undefined) return undefined;
  const byDay = isDense(timeOf, columns.count);
  // Most pictures are of the day of the one before: formatting a million dates would take a second.
  let from = Number.NaN;
  let until = Number.NaN;
  let heading = "";
  return (index) => {
    const time = timeOf(index);
    if (Number.isNaN(time)) return texts.album.noDate;
    if (time >= from && time < until) return heading;
    const date = new Date(time);
    const [year, month, day] = [date.getFullYear(), date.getMonth(), byDay ? date.getDate() : 1];
    from = new Date(year, month, day).getTime();
    until = byDay ? new Date(year, month, day + 1).getTime() : new Date(year, month + 1, 1).getTime();
    heading = byDay ? formatDay(time, isShort) : formatMonth(time);
    return heading;
  };
}

function isDense(timeOf: TimeOf, count: number): boolean {
  const days = new Set<number>();
  const sampled = Math.min(count, SAMPLE);
  let dated = 0;
  for (let index = 0; index < sampled; index += 1) {
    const time = timeOf(index);
    if (Number.isNaN(time)) continue;
    dated += 1;
    days.add(Math.floor(time / DAY_MS));
  }
  return days.size === 0 || dated / days.size >= DENSE || days.size <= 2;
}
