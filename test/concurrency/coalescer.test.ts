import { expect, test } from "bun:test";
import fc from "fast-check";
import { createCoalescer } from "../../src/concurrency/coalescer.ts";

/** Work whose runs end when the test says so. */
function createOracle() {
  const asked: PromiseWithResolvers<string>[] = [];
  return {
    asked,
    ask: () => {
      const answer = Promise.withResolvers<string>();
      asked.push(answer);
      return answer.promise;
    },
  };
}

test("calls that arrive during a run share the next one", async () => {
  const { coalesce } = createCoalescer();
  const { asked, ask } = createOracle();
  const first = coalesce("same", ask);
  const later = [coalesce("same", ask), coalesce("same", ask), coalesce("same", ask)];
  const other = coalesce("other", ask);
  expect(asked).toHaveLength(2);
  asked[1]?.resolve("of the other");
  expect(await other).toBe("of the other");

  asked[0]?.resolve("old");
  expect(await first).toBe("old");
  expect(asked).toHaveLength(3);
  const latest = coalesce("same", ask);
  asked[2]?.resolve("new");
  expect(await Promise.all(later)).toEqual(["new", "new", "new"]);
  expect(asked).toHaveLength(4);
  asked[3]?.resolve("newest");
  expect(await latest).toBe("newest");
});

test("a failure rejects the calls that shared the run, and the next call runs again", async () => {
  const { coalesce } = createCoalescer();
  const { asked, ask } = createOracle();
  const first = coalesce("same", ask).catch(String);
  const next = [coalesce("same", ask).catch(String), coalesce("same", ask).catch(String)];
  asked[0]?.reject(new Error("one"));
  expect(await first).toBe("Error: one");
  asked[1]?.reject(new Error("two"));
  expect(await Promise.all(next)).toEqual(["Error: two", "Error: two"]);
  const last = coalesce("same", ask);
  asked[2]?.resolve("well");
  expect(await last).toBe("well");
});

test("a call made as a run ends shares the run that is queued", async () => {
  const { coalesce } = createCoalescer();
  const { asked, ask } = createOracle();
  const first = coalesce("same", ask);
  const late = first.then(() => coalesce("same", ask));
  const queued = coalesce("same", ask);
  asked[0]?.resolve("one");
  await first;
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  asked[1]?.resolve("two");
  expect(await Promise.all([late, queued])).toEqual(["two", "two"]);
  expect(asked).toHaveLength(2);
});

test("with failsQueued a failed run fails the calls queued behind it, and the next call runs again", async () => {
  const { coalesce } = createCoalescer({ failsQueued: true });
  const { asked, ask } = createOracle();
  const calls = [coalesce("same", ask), coalesce("same", ask), coalesce("same", ask)].map((call) => call.catch(String));
  asked[0]?.reject(new Error("one"));
  expect(await Promise.all(calls)).toEqual(["Error: one", "Error: one", "Error: one"]);
  expect(asked).toHaveLength(1);
  const last = coalesce("same", ask);
  asked[1]?.resolve("well");
  expect(await last).toBe("well");
});

/** A call, or the end of the run that was begun first. */
const steps = fc.array(
  fc.oneof(
    fc.record({ key: fc.constantFrom("a", "b"), fails: fc.boolean() }),
    fc.constant("end" as const),
    fc.constant("microtask" as const),
  ),
  { maxLength: 30 },
);

const expectFailure = (error: unknown) => expect(error).toBeInstanceOf(RangeError);

test("every call gets the result of a run that began after it, and no two runs of a key overlap", async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.boolean(), async (all, failsQueued) => {
      const { coalesce } = createCoalescer({ failsQueued });
      const running = new Map<string, () => void>();
      let moment = 0;
      let overlaps = 0;
      const settled: Promise<unknown>[] = [];
      const call = (key: string, fails: boolean) => {
        const calledAt = ++moment;
        const work = async () => {
          const beganAt = ++moment;
          if (running.has(key)) overlaps++;
          await new Promise<void>((resolve) => running.set(key, resolve));
          if (fails) throw new RangeError("failed");
          return beganAt;
        };
        const check = (beganAt: number) => expect(beganAt).toBeGreaterThan(calledAt);
        settled.push(coalesce(key, work).then(check, expectFailure));
      };
      const endFirst = () => {
        const [first] = running;
        if (first === undefined) return;
        running.delete(first[0]);
        first[1]();
      };
      for (const step of all) {
        if (step === "microtask") await Promise.resolve();
        else if (step === "end") endFirst();
        else call(step.key, step.fails);
      }
      // As many as there were calls, with what is queued behind them, at most.
      for (const _ of settled.flatMap(() => Array.from({ length: 10 }))) {
        endFirst();
        await Promise.resolve();
      }
      await Promise.all(settled);
      expect(overlaps).toBe(0);
    }),
  );
});
