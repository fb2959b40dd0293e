import { expect, test } from "bun:test";
import { createMemo } from "../../src/domain/memo.ts";

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
