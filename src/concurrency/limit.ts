/** Runs at most `max` of the given functions at a time; the others wait in order. */
export function createLimit(max: number): <Result>(work: () => Promise<Result>) => Promise<Result> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running < max) running++;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The slot passes to the next in line, which is why `running` stays the same.
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}

/**
 * Runs `work` for each item, `count` at a time. After a failure it starts no further items and rejects once the running
 * ones have ended, so that nothing writes any more while the caller cleans up.
 */
export async function forEachAtOnce<Item>(
  count: number,
  items: Iterable<Item>,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  const queue = untilFailed(items, failures);
  const run = async () => {
    for (const item of queue) await work(item).catch((error: unknown) => failures.push(error));
  };
  await Promise.all(Array.from({ length: count }, run));
  if (failures.length > 0) throw failures[0];
}

function* untilFailed<Item>(items: Iterable<Item>, failures: readonly unknown[]): Generator<Item> {
  for (const item of items) {
    if (failures.length > 0) return;
    yield item;
  }
}
