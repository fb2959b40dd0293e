import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { whenIdle } from "../shared/idle.ts";
import { isOpening } from "../shared/opening.ts";
import { texts } from "../texts.ts";
import type { AlbumState } from "./album-state.ts";
import { type Drawn, dragSelect } from "./drag-select.ts";
import { moveFocus } from "./grid-keys.ts";
import { GridRow } from "./grid-row.tsx";
import { createHeadingOf, createTimeOf } from "./headings.ts";
import { MonthSelect } from "./month-select.tsx";
import { Months } from "./months.ts";
import { type Frame, Rows } from "./rows.ts";
import { ScaledScroll } from "./scaled-scroll.ts";
import type { Selection } from "./selection.ts";

/** So many pixels beyond the screen are drawn, once the browser has time for them. */
const MARGIN = 700;

interface Props {
  readonly state: AlbumState;
  readonly selection: Selection;
  readonly onDelete: () => void;
}

/** The pictures of an album in justified rows. Only those near the screen exist as elements. */
export function Grid({ state, selection, onDelete }: Props) {
  const root = useRef<HTMLDivElement>(null);
  const scroll = useRef<ScaledScroll>(undefined);
  const latest = useRef<Drawn>(undefined);
  const width = useSignal(0);
  const moved = useSignal(0);
  const focused = useSignal(0);
  const { columns, order } = state;
  const version = state.version.value;
  const isComplete = state.isComplete.value;

  const rows = useMemo(() => {
    if (width.value === 0) return undefined;
    return new Rows(frameOf(width.value), createHeadingOf(columns, order.value, width.value < NARROW));
  }, [columns, width.value, order.value]);
  useMemo(() => rows?.extend(columns), [rows, version]);
  const months = useMemo(() => {
    const timeOf = createTimeOf(columns, order.value);
    return timeOf === undefined ? undefined : new Months(timeOf);
  }, [columns, order.value]);
  useMemo(() => months?.extend(columns.count), [months, version]);
  const total = rows === undefined ? 0 : estimate(rows, state.expected);

  useLayoutEffect(() => {
    const element = root.current;
    const view = element?.closest<HTMLElement>(".view");
    if (element == null || view == null) return undefined;
    const scaled = new ScaledScroll(view, () => (moved.value += 1));
    scroll.current = scaled;
    const observer = new ResizeObserver(() => {
      width.value = element.clientWidth;
      moved.value += 1;
    });
    observer.observe(element);
    observer.observe(view);
    width.value = element.clientWidth;
    const stopDragging = dragSelect(element, view, () => latest.current);
    return () => {
      stopDragging();
      observer.disconnect();
      scaled.stop();
    };
  }, []);
  useLayoutEffect(() => {
    const element = root.current;
    const view = element?.closest<HTMLElement>(".view");
    if (element == null || view == null) return;
    scroll.current?.resize(
      total,
      element.getBoundingClientRect().top - view.getBoundingClientRect().top + view.scrollTop,
    );
  }, [total]);

  useLayoutEffect(() => selection.leaveOthers(columns), [columns]);
  useLayoutEffect(() => selection.grow(columns, isComplete), [version, isComplete]);
  void moved.value;
  const scaled = scroll.current;
  latest.current = rows && scaled && selection.canChoose() ? { rows, columns, scroll: scaled, selection } : undefined;
  const height = Math.min(total, scaled?.height || total);
  const drawn = useRef<readonly number[]>([]);
  const onScreen = rows === undefined || scaled === undefined || isOpening.value ? [] : visibleRows(rows, scaled, 0);
  const isNear = onScreen.some((row) => drawn.current.includes(row));
  const visible = rows !== undefined && scaled !== undefined && isNear ? visibleRows(rows, scaled, MARGIN) : onScreen;
  useEffect(() => {
    drawn.current = visible;
    if (isNear || visible.length === 0) return undefined;
    return whenIdle(() => (moved.value += 1));
  });

  /** Brings a picture into view and gives it the focus. */
  function focus(index: number): void {
    if (rows === undefined || scaled === undefined) return;
    focused.value = index;
    const row = rows.rowOf(index);
    const top = rows.top[row] ?? 0;
    const bottom = top + (rows.height[row] ?? 0);
    if (top < scaled.offset + EDGE) scaled.scrollTo(top - EDGE);
    else if (bottom > scaled.offset + scaled.viewport - EDGE) scaled.scrollTo(bottom + EDGE - scaled.viewport);
    requestAnimationFrame(() =>
      root.current?.querySelector<HTMLElement>(`[data-index="${index}"] a`)?.focus({ preventScroll: true }),
    );
  }

  /** Puts a picture, and the heading above it, at the top of the screen. */
  function goTo(index: number): void {
    if (rows === undefined || scaled === undefined) return;
    const row = rows.rowOf(index);
    scaled.scrollTo(rows.top[rows.headings.has(row - 1) ? row - 1 : row] ?? 0);
  }

  const seen = rows === undefined || scaled === undefined ? 0 : (rows.start[rows.rowAt(scaled.offset + GONE)] ?? 0);
  const grid = (
    <div
      ref={root}
      class="pictures"
      role="grid"
      aria-label={texts.album.grid}
      aria-multiselectable={selection.canChoose()}
      aria-rowcount={isComplete ? (rows?.length ?? 0) : -1}
      style={{ height: `${height}px` }}
      onFocusCapture={(event) => {
        const index = (event.target as Element).closest<HTMLElement>("[data-index]")?.dataset["index"];
        if (index !== undefined) focused.value = Number(index);
      }}
      onKeyDown={(event) => {
        if (rows !== undefined)
          moveFocus(event, { rows, columns, isComplete, selection, focus, at: focused.value, onDelete });
      }}
    >
      {rows !== undefined &&
        visible.map((row) => (
          <GridRow
            key={rows.headings.has(row) ? `h${rows.start[row]}` : rows.start[row]}
            row={row}
            rows={rows}
            top={(rows.top[row] ?? 0) + (scaled?.shift ?? 0)}
            state={state}
            selection={selection}
            focused={visible.includes(rows.rowOf(focused.value)) ? focused.value : firstOf(rows, visible)}
          />
        ))}
    </div>
  );
  return (
    <>
      {months !== undefined && months.all.length > 1 && (
        <MonthSelect months={months.all} current={months.placeOf(seen)} onGo={({ first }) => goTo(first)} />
      )}
      {grid}
    </>
  );
}

const EDGE = 72;
/** In pixels: phones, and small windows. */
const NARROW = 640;
/** A row of which only so many pixels are left counts as gone. */
const GONE = 8;

function frameOf(width: number): Frame {
  const isNarrow = width < NARROW;
  return {
    width,
    rowHeight: isNarrow ? 130 : Math.min(340, 150 + width / 16),
    gap: isNarrow ? 3 : 6,
    headingHeight: isNarrow ? 40 : 52,
  };
}

/** Height of all pictures, of which those that are not read yet are taken to be like the others. */
const estimate = (rows: Rows, expected: number): number =>
  rows.laid === 0 ? 0 : rows.total + (Math.max(0, expected - rows.laid) * rows.total) / rows.laid;

function visibleRows(rows: Rows, { offset, viewport }: ScaledScroll, margin: number): readonly number[] {
  const visible: number[] = [];
  if (rows.length === 0) return visible;
  const end = offset + viewport + margin;
  for (let row = rows.rowAt(offset - margin); row < rows.length && (rows.top[row] ?? 0) < end; row += 1)
    visible.push(row);
  return visible;
}

/** A picture that Tab can reach. */
const firstOf = (rows: Rows, visible: readonly number[]): number => {
  const row = visible.find((one) => !rows.headings.has(one) && (rows.top[one] ?? 0) >= 0);
  return row === undefined ? 0 : (rows.start[row] ?? 0);
};
