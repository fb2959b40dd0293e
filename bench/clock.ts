/** Milliseconds since 1970 with their fractions. */
export const now = (): number => performance.timeOrigin + performance.now();

/** @throws Error when the condition is still false at the deadline */
export async function until(condition: () => boolean | Promise<boolean>, seconds = 10): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`What was waited for did not come within ${seconds} s.`);
    await Bun.sleep(5);
  }
}
