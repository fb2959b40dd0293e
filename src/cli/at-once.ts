/**
 * Does the work for each item, `count` at a time. After a failure nothing new is begun, and it throws once what runs has
 * ended: nobody writes any more behind the back of who cleans up.
 */
export async function atOnce<Item>(
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
