import type { Clock } from "../../src/concurrency/clock.ts";

/** A clock that the test moves, and the timers that are set on it. */
export function createManualClock() {
  const timers = new Map<object, { readonly at: number; readonly fire: () => void }>();
  let now = 0;
  const clock: Clock = {
    now: () => now,
    after(milliseconds, fire) {
      const timer = { at: now + milliseconds, fire };
      timers.set(timer, timer);
      return () => timers.delete(timer);
    },
  };
  const advance = (milliseconds: number) => {
    now += milliseconds;
    for (const [key, { at, fire }] of timers)
      if (at <= now) {
        timers.delete(key);
        fire();
      }
  };
  return { clock, timers, advance };
}
