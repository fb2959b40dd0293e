import { computed, signal } from "@preact/signals";
import { isOver } from "./item.ts";
import { items } from "./queue.ts";

const TICK_MS = 500;
const WINDOW_MS = 6000;

/** Bytes of all files, and how many of them are over with. */
export const totals = computed(() => {
  let bytes = 0;
  let over = 0;
  let finished = 0;
  for (const item of items.value) {
    bytes += item.file.size;
    if (isOver(item)) {
      over += item.file.size;
      finished += 1;
    } else over += item.sent.value;
  }
  return { bytes, over, finished, count: items.value.length };
});

const samples: { readonly time: number; readonly sent: number }[] = [];

/** Bytes a second over the last seconds; undefined before there is anything to tell. */
export const speed = signal<number | undefined>(undefined);

/** Measures for as long as the queue is seen. */
export function startMeasuring(): () => void {
  const tick = setInterval(() => {
    const time = Date.now();
    const sent = items.value.reduce((sum, item) => sum + item.sent.value, 0);
    samples.push({ time, sent });
    while (samples[0] !== undefined && samples[0].time < time - WINDOW_MS) samples.shift();
    const [first] = samples;
    speed.value =
      first === undefined || time === first.time
        ? undefined
        : Math.max(0, ((sent - first.sent) * 1000) / (time - first.time));
  }, TICK_MS);
  return () => {
    clearInterval(tick);
    samples.length = 0;
  };
}
