import { createWakeUp } from "../domain/wake-up.ts";

/**
 * Does a task at once, and again each time when `interval` milliseconds have passed after it, until the signal aborts. A
 * task that fails is told, and comes again in its turn. Resolves when what runs has ended: tasks look at the signal
 * between their steps.
 */
export async function every(
  interval: number,
  signal: AbortSignal,
  task: () => Promise<unknown>,
  onFailure: (error: unknown) => void,
): Promise<void> {
  const pause = createWakeUp();
  while (!signal.aborted) {
    try {
      await task();
    } catch (error) {
      onFailure(error);
    }
    await pause.wait(0, interval, signal);
  }
}
