import { type Clock, pause } from "../../src/concurrency/clock.ts";
import type { Change } from "../../src/domain/change.ts";
import { StoreError } from "../../src/domain/errors.ts";
import type { Catalog } from "../../src/ports.ts";
import { type LeaseObserver, whileLeased } from "../../src/workers/lease.ts";

/** Whoever asks a catalog that does not answer hears so after this, in milliseconds. */
const TIMEOUT = 1500;

export interface SimulatedNode {
  readonly name: string;
  /** It believes that it may work, and is awake. */
  readonly atWork: boolean;
  /** As SIGSTOP and, later, SIGCONT do. */
  pause(milliseconds: number): void;
  /** As SIGKILL does. */
  kill(): void;
  /** As SIGTERM does. */
  stop(): void;
  /** What it told its observer. */
  readonly told: readonly string[];
  readonly isUp: boolean;
  readonly ended: boolean;
}

/** A write of the work that the catalog took. */
export interface AcceptedWrite {
  readonly node: string;
  readonly token: number;
  readonly at: number;
}

/**
 * Nodes that share a lease, a catalog and a network between them, on one clock that is turned by hand. Times in
 * milliseconds. `random` gives numbers in [0, 1).
 */
export function createSimulatedFleet(random: () => number, { loss = 0 }: { loss?: number } = {}) {
  let now = 0;
  let order = 0;
  let timers: { at: number; order: number; fire: () => void }[] = [];
  const accepted: AcceptedWrite[] = [];
  let refused = 0;
  let away = false;

  const schedule = (at: number, fire: () => void) => void timers.push({ at, order: order++, fire });
  const delay = () => 1 + Math.floor(random() * 40);

  /** As the contract of catalogs has it. */
  const lease = { holder: "", token: 0, until: 0 };
  function apply(node: string, change: Change): unknown {
    if (change.type === "acquireLease") {
      if (lease.holder !== change.holder && lease.until > now) return { token: null };
      if (lease.holder !== change.holder) lease.token++;
      const renewed = lease.holder === change.holder ? lease.until : 0;
      Object.assign(lease, { holder: change.holder, until: Math.max(renewed, now + change.milliseconds) });
      return { token: lease.token };
    }
    if (change.type === "releaseLease") {
      if (lease.holder === change.holder) Object.assign(lease, { holder: "", until: 0 });
      return null;
    }
    const token = change.fence?.token ?? 0;
    if (lease.holder === "" || lease.token !== token) {
      refused++;
      throw new StoreError("lease_lost", "Another node holds the lease.");
    }
    accepted.push({ node, token, at: now });
    return null;
  }

  function createNode(name: string): SimulatedNode {
    const stopping = new AbortController();
    const told: string[] = [];
    let [pausedUntil, dead, ended] = [0, false, false];
    let working: AbortSignal | undefined;

    /** What happens to a node that sleeps happens when it wakes. */
    const deliver = (at: number, fire: () => void) =>
      schedule(at, () => {
        if (dead) return;
        if (pausedUntil > now) deliver(pausedUntil, fire);
        else fire();
      });

    const write = (change: Change): Promise<unknown> => {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      const fail = (after: number) => deliver(now + after, () => reject(new StoreError("unavailable", "no answer")));
      const arrive = (): void => {
        if (away) return fail(TIMEOUT);
        let answer: () => void;
        try {
          const result = apply(name, change);
          answer = () => resolve(result);
        } catch (error) {
          answer = () => reject(error);
        }
        if (random() < loss) fail(TIMEOUT);
        else deliver(now + delay(), answer);
      };
      if (random() < loss) fail(TIMEOUT);
      else schedule(now + delay(), arrive);
      return promise;
    };

    const clock: Clock = {
      now: () => now,
      after(milliseconds, fire) {
        let isCancelled = false;
        deliver(now + milliseconds, () => {
          if (!isCancelled) fire();
        });
        return () => {
          isCancelled = true;
        };
      },
    };
    const observer: LeaseObserver = {
      waiting: () => told.push("waiting"),
      taken: () => told.push("taken"),
      lost: () => told.push("lost"),
      released: () => told.push("released"),
      failed: () => {},
    };
    const work = async (leased: Catalog, signal: AbortSignal): Promise<void> => {
      working = signal;
      try {
        while (!signal.aborted) {
          await leased.write({ type: "releaseHold", id: "nobody's" }).catch(() => undefined);
          await pause(random() * 300, signal, clock);
        }
        // It takes a moment to stop, as workers do.
        await pause(random() * 300, new AbortController().signal, clock);
      } finally {
        working = undefined;
      }
    };
    const catalog = { shared: true, write } as unknown as Catalog;
    void whileLeased({ catalog, name: "work", holder: name, observer, clock }, work, stopping.signal).then(() => {
      ended = true;
    });

    return {
      name,
      told,
      get atWork() {
        return !dead && pausedUntil <= now && working?.aborted === false;
      },
      get isUp() {
        return !dead && !stopping.signal.aborted;
      },
      get ended() {
        return ended;
      },
      pause: (milliseconds) => void (pausedUntil = Math.max(pausedUntil, now + milliseconds)),
      kill: () => void (dead = true),
      stop: () => deliver(now, () => stopping.abort()),
    };
  }

  /** Lets so much time pass; `look` is called whenever everything due has happened. */
  async function pass(milliseconds: number, look: () => void = () => {}): Promise<void> {
    const end = now + milliseconds;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      timers.sort((one, other) => one.at - other.at || one.order - other.order);
      const [next] = timers;
      if (next === undefined || next.at > now) look();
      if (next === undefined || next.at > end) break;
      timers = timers.slice(1);
      now = Math.max(now, next.at);
      next.fire();
    }
    now = end;
  }

  return {
    createNode,
    schedule: (after: number, happen: () => void) => schedule(now + after, happen),
    pass,
    /** Whether the catalog answers nobody. */
    setAway: (isAway: boolean) => void (away = isAway),
    accepted,
    refused: () => refused,
    now: () => now,
  };
}
