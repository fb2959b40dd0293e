/**
 * Prepares items `count` at a time, and commits them in their order: as many of those that are ready as `atOnce` allows. After a
 * failure nothing further begins, and it rejects once what runs has ended. `discard` gets what was prepared and not committed.
 */
export async function inOrder<Item, Prepared>(
  items: AsyncIterable<Item> | Iterable<Item>,
  { count, atOnce, prepare, commit, discard }: OrderedWork<Item, Prepared>,
): Promise<void> {
  const running: Slot<Prepared>[] = [];
  const begin = (item: Item): void => {
    const slot: Slot<Prepared> = { isReady: false, done: prepare(item) };
    const ready = () => void (slot.isReady = true);
    slot.done.then(ready, ready);
    running.push(slot);
  };
  /** Commits the first, and those behind it that are ready too. */
  async function commitFirst(): Promise<void> {
    const first = running.shift();
    if (first === undefined) return;
    const ready = [await first.done];
    try {
      while (ready.length < atOnce && running[0]?.isReady === true) {
        const next = running[0].done;
        running.shift();
        ready.push(await next);
      }
    } catch (error) {
      await Promise.allSettled(ready.map(discard));
      throw error;
    }
    await commit(ready);
  }
  try {
    for await (const item of items) {
      begin(item);
      if (running.length >= count) await commitFirst();
    }
    while (running.length > 0) await commitFirst();
  } finally {
    // Only after a failure there are any.
    const left = await Promise.allSettled(running.map(({ done }) => done));
    await Promise.allSettled(left.map(async (one) => one.status === "fulfilled" && discard(one.value)));
  }
}

interface Slot<Prepared> {
  isReady: boolean;
  readonly done: Promise<Prepared>;
}

interface OrderedWork<Item, Prepared> {
  readonly count: number;
  readonly atOnce: number;
  readonly prepare: (item: Item) => Promise<Prepared>;
  readonly commit: (ready: readonly Prepared[]) => Promise<void>;
  readonly discard: (prepared: Prepared) => Promise<void>;
}
