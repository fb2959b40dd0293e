import { expect, test } from "bun:test";
import { every } from "../../src/concurrency/clock.ts";

test("every reports a failure and runs the task again until the signal aborts", async () => {
  const failures: unknown[] = [];
  const stop = new AbortController();
  let runs = 0;
  await every(
    1,
    stop.signal,
    async () => {
      if (++runs === 3) stop.abort();
      throw new Error(`run ${runs}`);
    },
    (error) => failures.push(error),
  );
  expect(failures).toEqual([new Error("run 1"), new Error("run 2"), new Error("run 3")]);
});

test("every ends its pause when the signal aborts, and waits for the running task", async () => {
  const stop = new AbortController();
  const finish = Promise.withResolvers<void>();
  let done = false;
  const loop = every(
    3_600_000,
    stop.signal,
    async () => {
      await finish.promise;
      done = true;
    },
    () => {},
  );
  stop.abort();
  finish.resolve();
  await loop;
  expect(done).toBe(true);
});
