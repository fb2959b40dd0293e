import { expect, test } from "bun:test";
import { createBatchSlots } from "../../src/operations/batches.ts";

test("a process takes 16 batches at a time, and the next when one has ended", () => {
  const slots = createBatchSlots();
  const taken = Array.from({ length: 16 }, () => slots.take());
  expect(() => slots.take()).toThrow(expect.objectContaining({ code: "busy" }));
  taken[0]?.[Symbol.dispose]();
  using _ = slots.take();
  expect(() => slots.take()).toThrow(expect.objectContaining({ code: "busy" }));
});
