import type { CliContext } from "./context.ts";

const WIDTH = 30;
const DRAW_EVERY_MS = 100;

export interface ProgressBar extends Disposable {
  advance(done: number): void;
  /** Call before printing anything else. */
  clear(): void;
}

/** Redraws one line of a terminal, and leaves the line empty. */
export function createProgressBar(total: number, write: (text: string) => void): ProgressBar {
  let drawnAt = Number.NEGATIVE_INFINITY;
  const clear = () => write("\r\x1b[K");
  return {
    advance(done) {
      const now = performance.now();
      if (now - drawnAt < DRAW_EVERY_MS) return;
      drawnAt = now;
      const share = total > 0 ? Math.min(1, done / total) : 1;
      const bar = "█".repeat(Math.round(share * WIDTH)).padEnd(WIDTH, "░");
      write(`\r${bar} ${Math.floor(share * 100)} %  ${formatBytes(done)} of ${formatBytes(total)}\x1b[K`);
    },
    clear,
    [Symbol.dispose]: clear,
  };
}

/** For work whose total is known only after it has begun. Draws nothing if standard error is no terminal. */
export function openProgressBar({ isErrorTerminal, err }: Pick<CliContext, "isErrorTerminal" | "err">) {
  let bar: ProgressBar | undefined;
  return {
    advance(done: number, total: number) {
      if (isErrorTerminal !== true) return;
      bar ??= createProgressBar(total, err);
      bar.advance(done);
    },
    clear: () => bar?.clear(),
    [Symbol.dispose]: () => bar?.[Symbol.dispose](),
  };
}

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

export function formatBytes(bytes: number): string {
  const unit = Math.min(UNITS.length - 1, bytes > 0 ? Math.floor(Math.log2(bytes) / 10) : 0);
  const value = bytes / 1024 ** unit;
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}
