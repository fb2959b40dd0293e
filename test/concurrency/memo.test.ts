import { expect, test } from "bun:test";
import { createMemo, createRemembered } from "../../src/concurrency/memo.ts";
import { rejectionOf } from "../waiting.ts";
import { createManualClock } from "./manual-clock.ts";

test("a memo makes each value once, while it has room", () => {
  const made: string[] = [];
  const memo = createMemo<{ of: string }>(2);
  const get = (text: string) =>
    memo.get(text, () => {
      made.push(text);
      return { of: text };
    });
  expect(get("a")).toBe(get("a"));
  get("b");
  get("a");
  expect(made).toEqual(["a", "b"]);
  get("c");
  expect(get("a").of).toBe("a");
  expect(made).toEqual(["a", "b", "c", "a"]);
  memo.clear();
  get("a");
  expect(made).toEqual(["a", "b", "c", "a", "a"]);
});

test("a memo remembers neither what failed nor what is long", () => {
  const memo = createMemo<number>(2);
  expect(() =>
    memo.get("a", () => {
      throw new Error("not yet");
    }),
  ).toThrow("not yet");
  expect(memo.get("a", () => 1)).toBe(1);
  const long = "x".repeat(10_000);
  expect([memo.get(long, () => 1), memo.get(long, () => 2)]).toEqual([1, 2]);
});

test("callers share the question that is under way, however long it takes", async () => {
  const answers: PromiseWithResolvers<number>[] = [];
  const ask = createRemembered(
    () => {
      const answer = Promise.withResolvers<number>();
      answers.push(answer);
      return answer.promise;
    },
    { keepFor: 0 },
  );
  const first = [ask(), ask()];
  await Bun.sleep(20);
  first.push(ask());
  answers[0]?.resolve(1);
  expect(await Promise.all(first)).toEqual([1, 1, 1]);
  const second = ask();
  answers[1]?.resolve(2);
  expect([await second, answers.length]).toEqual([2, 2]);
});

test("an answer is given again until its time is over, and an error too", async () => {
  const { clock, advance } = createManualClock();
  let asked = 0;
  const ask = createRemembered(
    async () => {
      asked++;
      if (asked === 1) throw new Error("away");
      return asked;
    },
    { keepFor: 50, clock },
  );
  const failures = [await rejectionOf(ask()), await rejectionOf(ask())];
  advance(49);
  failures.push(await rejectionOf(ask()));
  expect(failures.map(({ message }) => message)).toEqual(["away", "away", "away"]);
  expect(asked).toBe(1);
  advance(1);
  expect([await ask(), await ask()]).toEqual([2, 2]);
  advance(50);
  expect(await ask()).toBe(3);
});

test("an answer is reused for as long as its cost says, and a failure not at all where failures are not kept", async () => {
  let asked = 0;
  const tookMs: number[] = [];
  const keepFor = (took: number) => {
    tookMs.push(took);
    return 3_600_000;
  };
  const ask = createRemembered(
    async () => {
      asked++;
      await Bun.sleep(10);
      if (asked === 1) throw new Error("away");
      return asked;
    },
    { keepFor, keepsFailures: false },
  );
  expect((await rejectionOf(ask())).message).toBe("away");
  expect([await ask(), await ask()]).toEqual([2, 2]);
  expect(tookMs).toHaveLength(1);
  expect(tookMs[0]).toBeGreaterThan(5);
});
