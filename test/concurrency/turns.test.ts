import { expect, test } from "bun:test";
import { createTurns } from "../../src/concurrency/turns.ts";

/** Waits for a look of the event loop at its sockets. */
const nextPass = () => new Promise<void>((resolve) => setImmediate(resolve));

function workFor(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

test("callers work at once while the budget lasts", () => {
  const turns = createTurns(Number.POSITIVE_INFINITY);
  expect(turns.take()).toBeUndefined();
  expect(turns.take()).toBeUndefined();
});

test("once the budget is used up, each caller works after another look at the sockets, in the order of the calls", async () => {
  const turns = createTurns(1);
  expect(turns.take()).toBeUndefined();
  workFor(2);
  const seen: string[] = [];
  const work = async (name: string) => {
    await turns.take();
    seen.push(name);
    workFor(2);
  };
  const all = ["first", "second", "third"].map(work);
  const ticking = (async () => {
    while (seen.filter((one) => one !== "tick").length < 3) {
      seen.push("tick");
      await nextPass();
    }
  })();
  await Promise.all([...all, ticking]);
  expect(seen.filter((one) => one !== "tick")).toEqual(["first", "second", "third"]);
  expect(seen.join(" ")).toMatch(/first (?:tick )+second (?:tick )+third/);
});

test("after a pause, callers work at once again", async () => {
  const turns = createTurns(1);
  await turns.take();
  workFor(2);
  await turns.take();
  await nextPass();
  await nextPass();
  expect(turns.take()).toBeUndefined();
});
