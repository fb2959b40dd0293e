import { describe, expect, test } from "bun:test";
import { createSingleFlight } from "../../src/concurrency/single-flight.ts";

const never = new AbortController().signal;

/** Work that ends when it is told to, and what was done with its value. */
function newWork() {
  const work = Promise.withResolvers<AsyncDisposable>();
  const seen = { runs: 0, disposals: 0, aborted: false };
  return {
    seen,
    land: () => work.resolve({ [Symbol.asyncDispose]: async () => void seen.disposals++ }),
    crash: (error: Error) => work.reject(error),
    run: (signal: AbortSignal) => {
      seen.runs++;
      signal.addEventListener("abort", () => {
        seen.aborted = true;
        work.reject(signal.reason);
      });
      return work.promise;
    },
  };
}

describe("a single flight", () => {
  test("works once for all who wait, and its value lasts until the last is done with it", async () => {
    const flights = createSingleFlight();
    const work = newWork();
    const waiting = Array.from({ length: 100 }, () => flights.join("key", never, work.run));
    work.land();
    const shares = await Promise.all(waiting);
    expect(work.seen.runs).toBe(1);
    expect(new Set(shares.map((share) => share.value)).size).toBe(1);
    const [last, ...others] = shares;
    for (const share of others) await share[Symbol.asyncDispose]();
    expect(work.seen.disposals).toBe(0);
    await last?.[Symbol.asyncDispose]();
    expect(work.seen).toEqual({ runs: 1, disposals: 1, aborted: false });
  });

  test("is one of its key, and over when it has landed", async () => {
    const flights = createSingleFlight();
    const [one, other, later] = [newWork(), newWork(), newWork()];
    const waiting = [flights.join("one", never, one.run), flights.join("other", never, other.run)];
    for (const { land } of [one, other, later]) land();
    await Promise.all(waiting);
    await flights.join("one", never, later.run);
    expect([one, other, later].map(({ seen }) => seen.runs)).toEqual([1, 1, 1]);
  });

  test("goes on when some leave", async () => {
    const flights = createSingleFlight();
    const work = newWork();
    const leaving = new AbortController();
    const left = flights.join("key", leaving.signal, work.run);
    const stays = flights.join("key", never, work.run);
    leaving.abort(new Error("I am gone."));
    expect(await left.catch((error: Error) => error.message)).toBe("I am gone.");
    expect(work.seen.aborted).toBe(false);
    work.land();
    await (await stays)[Symbol.asyncDispose]();
    expect(work.seen.disposals).toBe(1);
  });

  test("is cancelled when all have left, and the next caller starts another", async () => {
    const flights = createSingleFlight();
    const work = newWork();
    const leaving = [new AbortController(), new AbortController()];
    const left = leaving.map(({ signal }) => flights.join("key", signal, work.run));
    for (const one of leaving) one.abort();
    await Promise.allSettled(left);
    expect(work.seen.aborted).toBe(true);
    const next = newWork();
    next.land();
    await flights.join("key", never, next.run);
    expect(next.seen.runs).toBe(1);
  });

  test("whose work ends although all have left leaves nothing behind", async () => {
    const flights = createSingleFlight();
    const work = newWork();
    const leaving = new AbortController();
    const left = flights.join("key", leaving.signal, () => work.run(never));
    leaving.abort();
    await left.catch(() => {});
    work.land();
    await Bun.sleep(0);
    expect(work.seen.disposals).toBe(1);
  });

  test("fails for all alike, and is tried again by who comes after", async () => {
    const flights = createSingleFlight();
    const work = newWork();
    const waiting = [flights.join("key", never, work.run), flights.join("key", never, work.run)];
    work.crash(new Error("It broke."));
    for (const { status } of await Promise.allSettled(waiting)) expect(status).toBe("rejected");
    const next = newWork();
    next.land();
    await flights.join("key", never, next.run);
    expect([work.seen.runs, next.seen.runs]).toEqual([1, 1]);
  });

  test("is not begun for who has left already", async () => {
    const work = newWork();
    const join = createSingleFlight().join("key", AbortSignal.abort(new Error("I was never here.")), work.run);
    expect(await join.catch((error: Error) => error.message)).toBe("I was never here.");
    expect(work.seen.runs).toBe(0);
  });
});
