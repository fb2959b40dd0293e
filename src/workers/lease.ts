import type { Change, Fence } from "../domain/change.ts";
import { StoreError } from "../domain/errors.ts";
import { createWakeUp } from "../domain/wake-up.ts";
import type { Catalog } from "../ports.ts";

export interface LeaseOptions {
  readonly catalog: Catalog;
  /** Of what one node at a time does. */
  readonly name: string;
  /** This process, as no other ever calls itself. */
  readonly holder: string;
  readonly observer?: LeaseObserver;
  /** How long after a holder's death another may take it. Times in milliseconds. */
  readonly life?: number;
  readonly renewInterval?: number;
  readonly clock?: Clock;
}

export interface LeaseObserver {
  /** It is not held here, and is asked for now and then. */
  waiting(lease: string): void;
  taken(lease: string, token: number): void;
  /** The work is being stopped. */
  lost(lease: string, reason: string): void;
  released(lease: string): void;
  /** Asking for it, or the work, failed; both are tried again. */
  failed(lease: string, error: unknown): void;
}

export interface Clock {
  /** Milliseconds, of a clock that nobody sets. */
  now(): number;
  /** Resolves after so many milliseconds, or when the signal aborts. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>;
}

export const MONOTONIC: Clock = {
  now: () => performance.now(),
  wait: (milliseconds, signal) => createWakeUp().wait(0, milliseconds, signal),
};

/** A lease that this process has, renewed until it is lost or disposed of, which gives it back. */
export interface HeldLease extends AsyncDisposable {
  /** Writes under the lease's token: `lease_lost`, and nothing is changed, once another has had it. */
  readonly catalog: Catalog;
  /** Aborts when it is another's, or was not renewed in time. */
  readonly lost: AbortSignal;
}

/**
 * Undefined where another has it.
 * @throws StoreError what the catalog throws
 */
export async function takeLease(options: LeaseOptions): Promise<HeldLease | undefined> {
  const { catalog, name, holder, observer, life = 6000, renewInterval = 2000, clock = MONOTONIC } = options;

  const ask = async () => {
    // Counted from before it is sent: the catalog's own count begins later, so another gets it later than this ends.
    const until = clock.now() + life;
    const asking = catalog.write({ type: "acquireLease", name, holder, milliseconds: life });
    const { token } = await within(life, asking, clock);
    return { token, until };
  };

  const { token, until: first } = await ask();
  if (token === null || clock.now() >= first) return undefined;

  let until = first;
  let renewing = Promise.resolve();
  const lost = new AbortController();
  const disposed = new AbortController();

  const lose = (reason: string): void => {
    if (lost.signal.aborted || disposed.signal.aborted) return;
    lost.abort();
    observer?.lost(name, reason);
  };
  const loseToAnother = () => lose("another node has taken it");

  async function renew(): Promise<void> {
    try {
      const renewed = await ask();
      // A higher token is of another term: what was begun in this one is fenced off.
      if (renewed.token === token) until = Math.max(until, renewed.until);
      else loseToAnother();
    } catch (error) {
      observer?.failed(name, error);
    }
  }

  /** A renewal that does not answer does not hold up the next. */
  async function keep(): Promise<void> {
    for (;;) {
      await clock.wait(Math.min(renewInterval, until - clock.now()), disposed.signal);
      if (lost.signal.aborted || disposed.signal.aborted) return;
      if (clock.now() >= until) return lose("it could not be renewed in time");
      renewing = renew();
    }
  }

  async function release(): Promise<void> {
    // One that came after the release would take it again.
    await renewing;
    await catalog.write({ type: "releaseLease", name, holder });
  }

  observer?.taken(name, token);
  const keeping = keep();
  return {
    catalog: guard(catalog, { lease: name, token }, loseToAnother),
    lost: lost.signal,
    async [Symbol.asyncDispose]() {
      disposed.abort();
      await keeping;
      if (lost.signal.aborted) return;
      const released = new AbortController();
      void release()
        .catch((error: unknown) => observer?.failed(name, error))
        .finally(() => released.abort());
      // By then it has lapsed.
      await clock.wait(until - clock.now(), released.signal);
      observer?.released(name);
    },
  };
}

/** What comes later is of no use, and is nobody's concern any more. */
async function within<Value>(milliseconds: number, work: Promise<Value>, clock: Clock): Promise<Value> {
  const settled = new AbortController();
  const late = clock.wait(milliseconds, settled.signal).then(() => {
    throw new StoreError("unavailable", "The catalog did not answer in time.");
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    settled.abort();
    await Promise.allSettled([late]);
  }
}

function guard(catalog: Catalog, fence: Fence, onLost: () => void): Catalog {
  const write = async <C extends Change>(change: C) => {
    try {
      return await catalog.write({ ...change, fence });
    } catch (error) {
      if (isLeaseLost(error)) onLost();
      throw error;
    }
  };
  return Object.assign(Object.create(catalog), { write }) as Catalog;
}

export const isLeaseLost = (error: unknown): boolean => error instanceof StoreError && error.code === "lease_lost";
