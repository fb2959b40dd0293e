import type { CliContext } from "../context.ts";
import { formatBytes } from "../progress-bar.ts";

const DRAW_EVERY_MS = 100;
const BAR_WIDTH = 20;
/** The rate is that of so many milliseconds before. */
const RATE_MS = 5000;
const DEFAULT_COLUMNS = 80;

export interface Amount {
  readonly files: number;
  readonly bytes: number;
}

/** One file of many. When it is disposed, the file is done, whatever became of it. */
export interface FileProgress extends Disposable {
  /** Whether the progress is shown. */
  readonly isShown: boolean;
  /** Bytes that have gone over the network; negative where they go again. */
  readonly moved: (bytes: number) => void;
}

/** A line of a terminal that says how far a command is. Without a terminal, nothing is drawn. */
export interface Progress extends Disposable {
  /** What a scan has found so far, besides what it found before. */
  expect(found: Amount): void;
  /** The scan has found everything, so the time left can be told. */
  expectNoMore(): void;
  /** @param bytes undefined for what is no file, and was not counted */
  begin(bytes: number | undefined): FileProgress;
  /** Bytes that have gone over the network. */
  readonly moved: number;
  clear(): void;
}

export function startProgress({
  isErrorTerminal = false,
  columns = () => undefined,
  err,
}: Pick<CliContext, "isErrorTerminal" | "columns" | "err">): Progress {
  const total = { files: 0, bytes: 0 };
  const passed = { files: 0, bytes: 0 };
  let [underWay, moved, isComplete] = [0, 0, false];
  let drawnAt = Number.NEGATIVE_INFINITY;
  let samples: readonly Sample[] = [{ at: performance.now(), moved: 0, done: 0 }];
  function draw(): void {
    const now = performance.now();
    if (!isErrorTerminal || now - drawnAt < DRAW_EVERY_MS) return;
    drawnAt = now;
    const done = passed.bytes + underWay;
    samples = [...samples.filter(({ at }) => now - at < RATE_MS), { at: now, moved, done }];
    const parts = partsOf({ total, passed, done, isComplete, ...ratesOf(samples) });
    err(`\r${fit(parts, (columns() ?? DEFAULT_COLUMNS) - 1)}\x1b[K`);
  }
  const clear = () => {
    if (isErrorTerminal) err("\r\x1b[K");
  };
  return {
    expect({ files, bytes }) {
      total.files += files;
      total.bytes += bytes;
      draw();
    },
    expectNoMore() {
      isComplete = true;
    },
    begin(bytes) {
      let own = 0;
      return {
        isShown: isErrorTerminal,
        moved(more) {
          own += more;
          moved += more;
          underWay += more;
          draw();
        },
        [Symbol.dispose]() {
          underWay -= own;
          if (bytes === undefined) return;
          passed.files += 1;
          passed.bytes += bytes;
          draw();
        },
      };
    },
    get moved() {
      return moved;
    },
    clear,
    [Symbol.dispose]: clear,
  };
}

interface Sample {
  readonly at: number;
  readonly moved: number;
  readonly done: number;
}

interface State {
  readonly total: Amount;
  readonly passed: Amount;
  readonly done: number;
  readonly isComplete: boolean;
  /** In bytes per second. */
  readonly moving: number;
  readonly passing: number;
}

function ratesOf(samples: readonly Sample[]): Pick<State, "moving" | "passing"> {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.at <= first.at) return { moving: 0, passing: 0 };
  const seconds = (last.at - first.at) / 1000;
  return { moving: Math.max(0, last.moved - first.moved) / seconds, passing: (last.done - first.done) / seconds };
}

/** In the order in which a narrow terminal keeps them. */
function partsOf({ total, passed, done, isComplete, moving, passing }: State): readonly string[] {
  const count = passed.files.toLocaleString("en-US");
  const rate = `${formatBytes(Math.round(moving))}/s`;
  if (total.files === 0) return [`${count} files`, formatBytes(done), rate];
  // A file may have grown since it was counted, and a file of the store may be new.
  const all = { files: Math.max(total.files, passed.files), bytes: Math.max(total.bytes, done) };
  const share = all.bytes === 0 ? passed.files / all.files : done / all.bytes;
  const more = isComplete ? "" : "+";
  const files = `${count} of ${all.files.toLocaleString("en-US")}${more} files`;
  const bytes = `${formatBytes(done)} of ${formatBytes(all.bytes)}${more}`;
  const percentage = `${barOf(share)} ${Math.floor(share * 100)} %`;
  const left = isComplete && passing > 0 ? [`${clockOf((all.bytes - done) / passing)} left`] : [];
  return [percentage, files, bytes, rate, ...left];
}

function barOf(share: number): string {
  return "█".repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, "░");
}

/** `0:07`, `12:30`, `1:02:03`. */
export function clockOf(seconds: number): string {
  const whole = Math.ceil(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** A line that is longer than the terminal would stay when the next one is drawn. */
function fit(parts: readonly string[], width: number): string {
  let line = "";
  for (const part of parts) {
    const next = line === "" ? part : `${line}  ${part}`;
    if (next.length > width) break;
    line = next;
  }
  return line;
}
