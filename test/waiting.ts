/**
 * How tests wait. On a busy machine everything takes as long as it takes: wait for what is to happen, never for a time in
 * which it should have.
 */

/** Below the limit of a test (package.json), so that what was waited for is told. */
export const PATIENCE_MS = 240_000;

/** @throws Error when the condition has not come to hold after minutes */
export async function until(condition: () => boolean | Promise<boolean>, pause = 5): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`It never came to hold: ${String(condition)}`);
    await Bun.sleep(pause);
  }
}

/**
 * What the work is rejected with. It is looked for at once: a rejection that is looked for only after something else was
 * awaited counts as unhandled, and is charged to whichever test runs then.
 * @throws Error when it is not rejected
 */
export const rejectionOf = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => {
      throw new Error("It was not rejected.");
    },
    (error: unknown) => error as Error,
  );

/** Whether there is a process of that id. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
