import type { Totals } from "../../ports.ts";

/** The sums read every album; at most a tenth of the time goes into them, however often somebody asks. */
const TOTALS_SHARE = 0.1;

/** Answers the sums of before until they have paid for themselves; whoever asks meanwhile waits for one reading. */
export function createCachedTotals(read: () => Promise<Totals>): () => Promise<Totals> {
  let last: { readonly value: Totals; readonly until: number } | undefined;
  let reading: Promise<Totals> | undefined;

  const readNow = async () => {
    const started = performance.now();
    const value = await read();
    const ended = performance.now();
    last = { value, until: ended + (ended - started) / TOTALS_SHARE };
    return value;
  };

  return async () => {
    if (last !== undefined && performance.now() < last.until) return last.value;
    reading ??= readNow().finally(() => {
      reading = undefined;
    });
    return reading;
  };
}
