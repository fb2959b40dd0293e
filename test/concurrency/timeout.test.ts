import { describe, expect, test } from "bun:test";
import { MONOTONIC, pause } from "../../src/concurrency/clock.ts";
import { within } from "../../src/concurrency/timeout.ts";
import { rejectionOf } from "../waiting.ts";
import { createManualClock } from "./manual-clock.ts";

const HOUR = 3_600_000;

describe("within a limit", () => {
  test("the outcome of the work passes, and its timer is cancelled", async () => {
    const { clock, timers } = createManualClock();
    expect(await within(HOUR, Promise.resolve("done"), undefined, clock)).toBe("done");
    const failed = within(HOUR, Promise.reject(new Error("broken")), undefined, clock);
    expect((await rejectionOf(failed)).message).toBe("broken");
    expect(timers.size).toBe(0);
  });

  test("work that takes too long rejects with the limit, or ends as the caller says", async () => {
    const { clock, advance } = createManualClock();
    const never = new Promise<string>(() => {});
    const late = [within(10, never, undefined, clock), within(10, never, () => "late", clock)] as const;
    const refused = within(
      10,
      never,
      () => {
        throw new RangeError("own");
      },
      clock,
    );
    const rejected = rejectionOf(late[0]);
    advance(9);
    advance(1);
    expect((await rejected).message).toBe("No answer within 10 ms.");
    expect(await late[1]).toBe("late");
    expect(await rejectionOf(refused)).toBeInstanceOf(RangeError);
  });

  test("a late rejection is ignored", async () => {
    const work = Promise.withResolvers<string>();
    expect(await within(1, work.promise, () => "late")).toBe("late");
    work.reject(new Error("too late"));
    // An unhandled rejection would fail this test.
    await Bun.sleep(1);
  });
});

describe("a pause", () => {
  test("ends after its time, or when the signal aborts, and leaves no timer", async () => {
    const { clock, timers, advance } = createManualClock();
    const stop = new AbortController();
    const ended: string[] = [];
    const first = pause(10, stop.signal, clock).then(() => ended.push("time"));
    const second = pause(HOUR, stop.signal, clock).then(() => ended.push("signal"));
    advance(10);
    await first;
    expect(ended).toEqual(["time"]);
    stop.abort();
    await second;
    expect([ended, timers.size]).toEqual([["time", "signal"], 0]);
    await pause(HOUR, stop.signal, clock);
    await pause(0, new AbortController().signal, clock);
    expect(timers.size).toBe(0);
  });

  test("on the machine's clock takes at least its time", async () => {
    const startedAt = MONOTONIC.now();
    await pause(20, new AbortController().signal);
    expect(MONOTONIC.now() - startedAt).toBeGreaterThan(15);
  });
});
