import type { Columns } from "./columns.ts";
import { undoLastDeletion } from "./deletions.ts";
import { type Rows, shownRatio } from "./rows.ts";
import type { Selection } from "./selection.ts";

interface Grid {
  readonly rows: Rows;
  readonly columns: Columns;
  /** Whether these are all pictures of the album. */
  readonly isComplete: boolean;
  readonly selection: Selection;
  /** Index of the picture that has the focus. */
  readonly at: number;
  readonly focus: (index: number) => void;
  readonly onDelete: () => void;
}

const PAGE_ROWS = 3;

/** Arrows, Home, End and the page keys move; Space chooses; Shift extends; Ctrl+A takes all; Escape and Delete do what they say. */
export function moveFocus(event: KeyboardEvent, grid: Grid): void {
  const { selection, columns, isComplete, at, focus, onDelete } = grid;
  const target = targetOf(event, grid);
  if (target !== undefined) {
    if (event.shiftKey) {
      if (selection.size === 0) selection.toggle(columns, at);
      selection.extendTo(columns, target);
    }
    focus(target);
  } else if (event.key === " ") {
    if (event.shiftKey) selection.extendTo(columns, at);
    else selection.toggle(columns, at);
  } else if (event.key === "a" && (event.ctrlKey || event.metaKey)) selection.all(columns, isComplete);
  else if (event.key === "z" && (event.ctrlKey || event.metaKey)) undoLastDeletion();
  else if (event.key === "Escape" && selection.size > 0) selection.clear();
  else if (event.key === "Delete" && selection.size > 0) onDelete();
  else return;
  event.preventDefault();
}

function targetOf(event: KeyboardEvent, grid: Grid): number | undefined {
  const { at, columns } = grid;
  const last = columns.count - 1;
  const isRight = getComputedStyle(event.currentTarget as Element).direction === "rtl" ? -1 : 1;
  switch (event.key) {
    case "ArrowRight":
      return clamp(at + isRight, last);
    case "ArrowLeft":
      return clamp(at - isRight, last);
    case "ArrowDown":
      return below(grid, 1);
    case "ArrowUp":
      return below(grid, -1);
    case "PageDown":
      return below(grid, PAGE_ROWS);
    case "PageUp":
      return below(grid, -PAGE_ROWS);
    case "Home":
      return 0;
    case "End":
      return last;
    default:
      return undefined;
  }
}

const clamp = (index: number, last: number): number => Math.max(0, Math.min(index, last));

/** The picture under the middle of this one, so many rows down. */
function below({ rows, columns, at }: Grid, steps: number): number {
  const row = rows.rowOf(at);
  let to = row;
  const step = Math.sign(steps);
  for (let left = Math.abs(steps); left > 0; ) {
    const next = to + step;
    if (next < 0 || next >= rows.length) break;
    to = next;
    if (!rows.headings.has(to)) left -= 1;
  }
  if (rows.headings.has(to) || to === row) return step < 0 ? 0 : columns.count - 1;
  const middle = placeOf(rows, columns, row, at);
  const end = rows.endOf(to);
  for (let index = rows.start[to] ?? 0; index < end; index += 1)
    if (placeOf(rows, columns, to, index + 0.5) >= middle) return index;
  return end - 1;
}

/** Pixels from the start of the row to the middle of a picture; with a half, to its end. */
function placeOf(rows: Rows, columns: Columns, row: number, index: number): number {
  const height = rows.height[row] ?? 0;
  const whole = Math.floor(index);
  let left = 0;
  for (let one = rows.start[row] ?? 0; one < whole; one += 1)
    left += shownRatio(columns.ratio(one)) * height + rows.frame.gap;
  return left + shownRatio(columns.ratio(whole)) * height * (index > whole ? 1 : 0.5);
}
