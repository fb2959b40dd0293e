import { Chosen } from "./chosen.ts";
import type { Columns } from "./columns.ts";
import { type Rows, shownRatio } from "./rows.ts";
import type { ScaledScroll } from "./scaled-scroll.ts";
import type { Selection } from "./selection.ts";

/** What is drawn when something happens. */
export interface Drawn {
  readonly rows: Rows;
  readonly columns: Columns;
  readonly scroll: ScaledScroll;
  readonly selection: Selection;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** A mouse that moves less has clicked; a finger that moves more scrolls. */
const SLOP = 8;
const LONG_PRESS_MS = 450;
/** So near to its edge the view scrolls. */
const EDGE = 56;
const FASTEST = 24;

/**
 * Chooses pictures by dragging: with the mouse those in a rectangle, with a finger, after a long press, those from the first to
 * the one under it. Returns the function that ends it.
 */
export function dragSelect(root: HTMLElement, view: HTMLElement, drawn: () => Drawn | undefined): () => void {
  const over = new AbortController();
  const { signal } = over;
  root.addEventListener("pointerdown", (event) => startBand(event, root, view, drawn), { signal });
  root.addEventListener("touchstart", (event) => startPress(event, root, view, drawn), { signal, passive: true });
  return () => over.abort();
}

/** A point of the screen among all rows. */
function placeOf(root: HTMLElement, { shift }: ScaledScroll, at: Point): Point {
  const box = root.getBoundingClientRect();
  return { x: at.x - box.left, y: at.y - box.top - shift };
}

function startBand(down: PointerEvent, root: HTMLElement, view: HTMLElement, drawn: () => Drawn | undefined): void {
  const first = drawn();
  const onButton = (down.target as Element).closest("button") !== null;
  if (first === undefined || onButton || down.pointerType !== "mouse" || down.button !== 0) return;
  const start = placeOf(root, first.scroll, { x: down.clientX, y: down.clientY });
  const before = first.selection.chosen.value;
  const kept = down.shiftKey || down.ctrlKey || down.metaKey ? before : Chosen.none;
  const over = new AbortController();
  let at: Point = { x: down.clientX, y: down.clientY };
  let band: HTMLElement | undefined;

  const draw = () => {
    const now = drawn();
    if (band === undefined || now === undefined) return;
    const end = placeOf(root, now.scroll, at);
    const [left, right] = [Math.min(start.x, end.x), Math.max(start.x, end.x)];
    const [top, bottom] = [Math.min(start.y, end.y), Math.max(start.y, end.y)];
    band.style.transform = `translate(${left}px, ${top + now.scroll.shift}px)`;
    band.style.width = `${right - left}px`;
    band.style.height = `${bottom - top}px`;
    now.selection.set(kept.withEach(now.columns, indexesIn(now, left, top, right, bottom)));
  };
  const stop = () => {
    over.abort();
    band?.remove();
    band = undefined;
  };
  const { signal } = over;
  addEventListener(
    "pointermove",
    (event) => {
      at = { x: event.clientX, y: event.clientY };
      if (band === undefined && Math.hypot(at.x - down.clientX, at.y - down.clientY) > SLOP) {
        band = root.appendChild(Object.assign(document.createElement("div"), { className: "band" }));
        scrollAtEdges(view, () => at, draw, signal);
      }
      draw();
    },
    { signal },
  );
  addEventListener(
    "pointerup",
    () => {
      if (band !== undefined) ignoreNextClick();
      stop();
    },
    { signal },
  );
  addEventListener("pointercancel", stop, { signal });
  addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape" || band === undefined) return;
      event.stopPropagation();
      first.selection.set(before);
      stop();
      addEventListener("pointerup", ignoreNextClick, { once: true });
    },
    { signal, capture: true },
  );
}

/** The browser makes a click of a drag that ends where it began. */
function ignoreNextClick(): void {
  const over = new AbortController();
  addEventListener(
    "click",
    (event) => {
      event.preventDefault();
      event.stopPropagation();
    },
    { capture: true, once: true, signal: over.signal },
  );
  setTimeout(() => over.abort());
}

function startPress(down: TouchEvent, root: HTMLElement, view: HTMLElement, drawn: () => Drawn | undefined): void {
  const [touch] = down.touches;
  if (touch === undefined || down.touches.length > 1) return;
  const over = new AbortController();
  let at: Point = { x: touch.clientX, y: touch.clientY };
  const start = at;
  let anchor: number | undefined;
  let kept = Chosen.none;

  const extend = () => {
    const now = drawn();
    const under = now === undefined ? undefined : indexAt(now, placeOf(root, now.scroll, at));
    if (now === undefined || under === undefined || anchor === undefined) return;
    const [from, to] = [Math.min(anchor, under), Math.max(anchor, under)];
    now.selection.set(kept.with(now.columns, from, to + 1), now.columns.id(anchor));
  };
  const timer = setTimeout(() => {
    const now = drawn();
    anchor = now === undefined ? undefined : indexAt(now, placeOf(root, now.scroll, at));
    if (now === undefined || anchor === undefined) return stop();
    kept = now.selection.chosen.value;
    extend();
    scrollAtEdges(view, () => at, extend, over.signal);
  }, LONG_PRESS_MS);
  function stop(): void {
    clearTimeout(timer);
    over.abort();
  }
  const { signal } = over;
  addEventListener(
    "touchmove",
    (event) => {
      const [moved] = event.touches;
      if (moved === undefined || event.touches.length > 1) return stop();
      at = { x: moved.clientX, y: moved.clientY };
      if (anchor === undefined) return Math.hypot(at.x - start.x, at.y - start.y) > SLOP ? stop() : undefined;
      // From here on the finger chooses, and must not scroll.
      event.preventDefault();
      extend();
    },
    { signal, passive: false },
  );
  addEventListener(
    "touchend",
    (event) => {
      // Else the browser makes a click of it, which would take the first picture back.
      if (anchor !== undefined) event.preventDefault();
      stop();
    },
    { signal, passive: false },
  );
  addEventListener("touchcancel", stop, { signal });
  // A long press on a link opens a menu of the browser.
  addEventListener("contextmenu", (event) => event.preventDefault(), { signal });
}

/** Scrolls while the pointer is at an edge, until the signal. */
function scrollAtEdges(view: HTMLElement, at: () => Point, onScroll: () => void, signal: AbortSignal): void {
  const step = () => {
    if (signal.aborted) return;
    const { top, bottom } = view.getBoundingClientRect();
    const { y } = at();
    const into = y < top + EDGE ? y - top - EDGE : y > bottom - EDGE ? y - bottom + EDGE : 0;
    if (into !== 0) {
      view.scrollTop += Math.max(-1, Math.min(1, into / EDGE)) * FASTEST;
      onScroll();
    }
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

/** Pictures that a rectangle touches. */
function indexesIn({ rows, columns }: Drawn, left: number, top: number, right: number, bottom: number): number[] {
  const found: number[] = [];
  for (let row = rows.rowAt(top); row < rows.length && (rows.top[row] ?? 0) <= bottom; row += 1) {
    const height = rows.height[row] ?? 0;
    if (rows.headings.has(row) || (rows.top[row] ?? 0) + height < top) continue;
    let start = 0;
    const end = Math.min(rows.endOf(row), columns.count);
    for (let index = rows.start[row] ?? 0; index < end; index += 1) {
      const width = shownRatio(columns.ratio(index)) * height;
      if (start <= right && start + width >= left) found.push(index);
      start += width + rows.frame.gap;
    }
  }
  return found;
}

/** The picture at a point; of a gap or a heading, the last one before it. */
function indexAt(drawn: Drawn, { x, y }: Point): number | undefined {
  const { rows } = drawn;
  const row = rows.rowAt(y);
  if (rows.headings.has(row)) return (rows.start[row] ?? 0) > 0 ? (rows.start[row] ?? 0) - 1 : rows.start[row];
  const top = rows.top[row] ?? 0;
  return indexesIn(drawn, 0, top, Math.max(0, x), top).at(-1);
}
