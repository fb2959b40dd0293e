import { describe, expect, test } from "bun:test";
import { createNotifier } from "../../src/concurrency/notifier.ts";

const never = new AbortController().signal;

describe("a notifier", () => {
  test("does not miss a notification between the check for work and the wait", async () => {
    const notifier = createNotifier();
    const seen = notifier.count;
    notifier.notify();
    await notifier.wait(seen, 3_600_000, never);
    expect(notifier.waiting).toBe(0);
  });

  test("forgets a wait, whatever ended it: a notification, a timeout or a signal", async () => {
    const notifier = createNotifier();
    const [one, other] = [new AbortController(), new AbortController()];
    const waits = [
      notifier.wait(notifier.count, 3_600_000, one.signal),
      notifier.wait(notifier.count, 3_600_000, never, other.signal),
      notifier.wait(notifier.count, 1, never),
      notifier.wait(notifier.count, 3_600_000),
      notifier.wait(notifier.count, 0),
    ];
    expect(notifier.waiting).toBe(4);
    one.abort();
    other.abort();
    await Promise.all(waits.slice(0, 3));
    expect(notifier.waiting).toBe(1);
    notifier.notify();
    await Promise.all(waits);
    await notifier.wait(notifier.count, 3_600_000, one.signal);
    expect(notifier.waiting).toBe(0);
  });
});
