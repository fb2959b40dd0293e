/** So long may a slice keep a click or a frame waiting. */
const SLICE_MS = 6;
/** While the browser never rests, as during a long scroll, a slice is due after so long. */
const LATEST_MS = 150;

const jobs = new Set<() => void>();
let isPlanned = false;

/** Runs a short job once the browser has time for it: after those that wait, some milliseconds of them at once. Returns how to call it off. */
export function whenIdle(job: () => void): () => void {
  jobs.add(job);
  plan();
  return () => void jobs.delete(job);
}

function plan(): void {
  if (isPlanned) return;
  isPlanned = true;
  // Safari has none.
  if (globalThis.requestIdleCallback === undefined) setTimeout(runSlice, 1);
  else requestIdleCallback(runSlice, { timeout: LATEST_MS });
}

function runSlice(): void {
  isPlanned = false;
  const end = performance.now() + SLICE_MS;
  for (const job of jobs) {
    jobs.delete(job);
    job();
    if (performance.now() >= end) break;
  }
  if (jobs.size > 0) plan();
}
