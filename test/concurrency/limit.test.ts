import { expect, test } from "bun:test";
import fc from "fast-check";
import { createLimit, forEachAtOnce } from "../../src/concurrency/limit.ts";

test("a limit runs all work in order, as much at once as it allows and never more", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.boolean(), { maxLength: 12 }),
      async (scheduler, max, fates) => {
        const limit = createLimit(max);
        const started: number[] = [];
        let [running, most] = [0, 0];
        const all = fates.map((fails, index) =>
          limit(async () => {
            started.push(index);
            most = Math.max(most, ++running);
            await scheduler.schedule(Promise.resolve());
            running--;
            if (fails) throw new Error(String(index));
            return index;
          }),
        );
        const settled = Promise.allSettled(all);
        await scheduler.waitFor(settled);
        expect((await settled).map(({ status }) => status === "rejected")).toEqual(fates);
        expect(started).toEqual(fates.map((_, index) => index));
        expect(most).toBe(Math.min(max, fates.length));
      },
    ),
  );
});

test("forEachAtOnce starts no further item after a failure, and rejects once the running ones have ended", async () => {
  const log: string[] = [];
  const failed = Promise.withResolvers<void>();
  const done = forEachAtOnce(2, [1, 2, 3, 4], async (item) => {
    log.push(`begin ${item}`);
    if (item === 1) setTimeout(failed.resolve);
    await failed.promise;
    if (item === 1) throw new Error("first");
    await Bun.sleep(1);
    log.push(`end ${item}`);
  });
  expect(await done.catch(String)).toBe("Error: first");
  expect(log).toEqual(["begin 1", "begin 2", "end 2"]);
});
