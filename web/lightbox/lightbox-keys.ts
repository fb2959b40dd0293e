import type { Zoom } from "./zoom.ts";

interface Actions {
  readonly zoom: Zoom | undefined;
  readonly step: (by: number) => void;
  readonly toEnd: (isLast: boolean) => void;
  readonly toggleDetails: () => void;
  readonly remove: () => void;
  readonly undo: () => void;
}

const PAN = 80;
const ZOOM = 1.4;

/** Arrows go to the neighbours, or move about in a zoomed picture; plus, minus and 0 zoom; I shows the details. */
export function onLightboxKey(event: KeyboardEvent, { zoom, step, toEnd, toggleDetails, remove, undo }: Actions): void {
  const isText = (event.target as Element).closest("input, textarea, select") !== null;
  event.stopPropagation();
  if (!isText && event.key === "z" && (event.ctrlKey || event.metaKey)) undo();
  if (isText || event.ctrlKey || event.metaKey || event.altKey) return;
  const isZoomed = (zoom?.scale ?? 1) > 1;
  const actions: Readonly<Record<string, () => void>> = {
    ArrowRight: () => (isZoomed ? zoom?.move(-PAN, 0) : step(1)),
    ArrowLeft: () => (isZoomed ? zoom?.move(PAN, 0) : step(-1)),
    ArrowDown: () => zoom?.move(0, -PAN),
    ArrowUp: () => zoom?.move(0, PAN),
    Home: () => toEnd(false),
    End: () => toEnd(true),
    "+": () => zoom?.by(ZOOM),
    "=": () => zoom?.by(ZOOM),
    "-": () => zoom?.by(1 / ZOOM),
    "0": () => zoom?.reset(),
    i: toggleDetails,
    Delete: remove,
  };
  const action = actions[event.key];
  if (action === undefined) return;
  event.preventDefault();
  action();
}
