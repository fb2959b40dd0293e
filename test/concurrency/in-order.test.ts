import { expect, test } from "bun:test";
import { inOrder } from "../../src/concurrency/in-order.ts";
import { rejectionOf } from "../waiting.ts";

const discard = async () => undefined;

test("inOrder prepares some at a time and commits all in their order, what is ready together", async () => {
  let [running, most] = [0, 0];
  const committed: number[][] = [];
  await inOrder(Array(100).keys(), {
    count: 8,
    atOnce: 4,
    async prepare(item) {
      running += 1;
      most = Math.max(most, running);
      // Later ones are often ready first.
      await Bun.sleep(item % 7 === 0 ? 5 : 0);
      running -= 1;
      return item;
    },
    async commit(ready) {
      committed.push([...ready]);
    },
    discard,
  });
  expect(most).toBe(8);
  expect(committed.flat()).toEqual([...Array(100).keys()]);
  expect(Math.max(...committed.map(({ length }) => length))).toBeGreaterThan(1);
  expect(Math.max(...committed.map(({ length }) => length))).toBeLessThanOrEqual(4);
});

test.each(["prepare", "commit"])(
  "after a failure of %s, inOrder commits nothing behind it and discards what is prepared",
  async (place) => {
    const [committed, discarded, prepared] = [new Set<number>(), new Set<number>(), new Set<number>()];
    const work = inOrder(Array(100).keys(), {
      count: 8,
      atOnce: 1,
      async prepare(item) {
        await Promise.resolve();
        if (place === "prepare" && item === 10) throw new Error("failed");
        prepared.add(item);
        return item;
      },
      async commit([item = -1]) {
        if (place === "commit" && item === 10) throw new Error("failed");
        committed.add(item);
      },
      async discard(item) {
        discarded.add(item);
      },
    });
    expect((await rejectionOf(work)).message).toBe("failed");
    expect([...committed]).toEqual([...Array(10).keys()]);
    const left = [...prepared].filter((item) => !committed.has(item) && item !== 10);
    expect(left.length).toBeGreaterThan(0);
    expect([...discarded].toSorted((a, b) => a - b)).toEqual(left);
  },
);
