import { type Clock, MONOTONIC, pause } from "../concurrency/clock.ts";
import { within } from "../concurrency/timeout.ts";
import type { Change, Fence } from "../domain/change.ts";
import { StoreError } from "../domain/errors.ts";
import type { Catalog } from "../ports.ts";

/** Times in milliseconds. */
export interface LeaseOptions {
  readonly catalog: Catalog;
  /** Identifies the work that one node at a time does. */
  readonly name: string;
  /** Identifies this process; never reused. */
  readonly holder: string;
  readonly observer?: LeaseObserver;
  /** Time after a holder's death until another node may take the lease. Default: 6,000. */
  readonly life?: number;
  /** Default: 2,000. */
  readonly renewInterval?: number;
  readonly clock?: Clock;
}

export interface LeaseObserver {
  /** This node does not hold the lease, and keeps asking for it. */
  waiting(lease: string): void;
  taken(lease: string, token: number): void;
  /** The work is being stopped. */
  lost(lease: string, reason: string): void;
  released(lease: string): void;
  /** The request for the lease failed, or its work did. Both are retried. */
  failed(lease: string, error: unknown): void;
}

/** @param isHeld whether this node may still do it */
export type LeasedWork = (catalog: Catalog, signal: AbortSignal, isHeld: () => boolean) => Promise<void>;

/**
 * Runs `work` whenever this node holds the lease, until the signal aborts, so that one node at a time does it. A catalog
 * that is not shared needs no lease.
 *
 * `work` must end soon after its signal aborts, and must write through the catalog that it is given: those writes are
 * fenced, so a node that slept and lost its lease changes nothing when it wakes. Its other effects must be harmless when
 * they come late, or be made only while `isHeld` says so.
 */
export async function whileLeased(
  options: LeaseOptions & {
    /** Time between two requests for the lease. Default: 1,000. */
    readonly retryInterval?: number | (() => number);
  },
  work: LeasedWork,
  signal: AbortSignal,
): Promise<void> {
  const { catalog, name, observer, retryInterval = 1000, clock } = options;
  if (!catalog.shared) return work(catalog, signal, () => true);

  observer?.waiting(name);
  while (!signal.aborted) {
    try {
      // Held until the work has stopped, which may take a moment.
      await using lease = await takeLease(options);
      if (lease !== undefined) await work(lease.catalog, AbortSignal.any([signal, lease.lost]), lease.isHeld);
    } catch (error) {
      observer?.failed(name, error);
    }
    await pause(typeof retryInterval === "number" ? retryInterval : retryInterval(), signal, clock);
  }
}

/** A lease that this process holds and renews. Disposing of it releases it. */
export interface HeldLease extends AsyncDisposable {
  /** Writes under the lease's token: they fail with `lease_lost`, and change nothing, once another node has held it. */
  readonly catalog: Catalog;
  /** Aborts when another node has taken the lease, or when it was not renewed in time. */
  readonly lost: AbortSignal;
  /** False from the moment of the loss. After a process was stopped for a while, `lost` aborts later than that. */
  readonly isHeld: () => boolean;
}

/**
 * Returns undefined while another node holds the lease.
 * @throws StoreError what the catalog throws
 */
export async function takeLease(options: LeaseOptions): Promise<HeldLease | undefined> {
  const { clock = MONOTONIC } = options;
  const { token, until } = await acquire(options);
  if (token === null || clock.now() >= until) return undefined;
  options.observer?.taken(options.name, token);
  return holdLease(options, token, until);
}

/** Asks for the lease, or renews it. */
async function acquire({ catalog, name, holder, life = 6000, clock = MONOTONIC }: LeaseOptions) {
  // Counted from before the request. The catalog counts from later, so no other node gets the lease before this one ends it.
  const until = clock.now() + life;
  const acquiring = catalog.write({ type: "acquireLease", name, holder, milliseconds: life });
  const { token } = await within(life, acquiring, failLate, clock);
  return { token, until };
}

function holdLease(options: LeaseOptions, token: number, firstUntil: number): HeldLease {
  const { catalog, name, holder, observer, renewInterval = 2000, clock = MONOTONIC } = options;
  const lost = new AbortController();
  const disposed = new AbortController();
  let until = firstUntil;
  let renewing = Promise.resolve();

  const lose = (reason: string): void => {
    if (lost.signal.aborted || disposed.signal.aborted) return;
    lost.abort();
    observer?.lost(name, reason);
  };
  const loseToAnother = () => lose("another node has taken it");

  async function renew(): Promise<void> {
    try {
      const renewed = await acquire(options);
      // A higher token is a new term: the writes of this one are fenced off.
      if (renewed.token === token) until = Math.max(until, renewed.until);
      else loseToAnother();
    } catch (error) {
      observer?.failed(name, error);
    }
  }

  /** Does not wait for a renewal before it starts the next. */
  async function keep(): Promise<void> {
    for (;;) {
      await pause(Math.min(renewInterval, until - clock.now()), disposed.signal, clock);
      if (lost.signal.aborted || disposed.signal.aborted) return;
      if (clock.now() >= until) return lose("it could not be renewed in time");
      renewing = renew();
    }
  }

  async function release(): Promise<void> {
    // A renewal that arrives after the release would take the lease again.
    await renewing;
    await catalog.write({ type: "releaseLease", name, holder });
  }

  const keeping = keep();
  return {
    catalog: fenced(catalog, { lease: name, token }, loseToAnother),
    lost: lost.signal,
    isHeld: () => !lost.signal.aborted && clock.now() < until,
    async [Symbol.asyncDispose]() {
      disposed.abort();
      await keeping;
      if (lost.signal.aborted) return;
      const released = new AbortController();
      void release()
        .catch((error: unknown) => observer?.failed(name, error))
        .finally(() => released.abort());
      // By then the lease has expired, released or not.
      await pause(until - clock.now(), released.signal, clock);
      observer?.released(name);
    },
  };
}

function failLate(): never {
  throw new StoreError("unavailable", "The catalog did not answer in time.");
}

/** The catalog, with writes under the fence. */
function fenced(catalog: Catalog, fence: Fence, onLost: () => void): Catalog {
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
