import type { Clock } from "../../concurrency/clock.ts";
import { StoreError } from "../../domain/errors.ts";
import type { DisabledReason } from "../../domain/webhook.ts";
import type { Catalog } from "../../ports.ts";
import type { Deliverer } from "./deliverer.ts";

export interface SaverOptions {
  readonly catalog: Pick<Catalog, "write">;
  readonly clock: Clock;
  readonly saveInterval?: number;
}

export interface SaverEvents {
  /** A client moved or deleted the reader. */
  readonly onStale: (webhookId: string) => void;
  readonly onDisabled: (webhookId: string, reason: DisabledReason) => void;
  /** A replay has ended. */
  readonly onDone: (webhookId: string) => void;
  /** Saving works again. */
  readonly onResume: () => void;
  /** Another node holds the lease. */
  readonly onLost: (error: unknown) => void;
}

const SAVE_INTERVAL = 250;
/** Milliseconds between saves of positions that moved past events which a webhook does not get. */
const LAZY_INTERVAL = 5000;

/** Saves what deliverers did, in one change for all and a few times a second at most. */
export function createSaver(options: SaverOptions, events: SaverEvents) {
  const { catalog, clock, saveInterval = SAVE_INTERVAL } = options;
  const urgent = new Set<Deliverer>();
  const lazy = new Set<Deliverer>();
  let saving: Promise<void> = Promise.resolve();
  let cancelUrgent: (() => void) | undefined;
  let cancelLazy: (() => void) | undefined;
  let isBehind = false;
  let stopped = false;

  async function write(deliverers: readonly Deliverer[], ended: boolean): Promise<void> {
    if (deliverers.length === 0) return;
    const collected = deliverers.map((deliverer) => ({ deliverer, progress: deliverer.collect() }));
    try {
      const progress = collected.map((one) => one.progress);
      const { stale, disabled } = await catalog.write({ type: "saveDeliveries", progress });
      for (const { webhookId } of stale) events.onStale(webhookId);
      for (const { webhookId, reason } of disabled) events.onDisabled(webhookId, reason);
      for (const { deliverer } of collected) if (deliverer.isDone) events.onDone(deliverer.reader.webhookId);
      if (isBehind) {
        isBehind = false;
        events.onResume();
      }
    } catch (error) {
      for (const { deliverer, progress } of collected) {
        deliverer.uncollect(progress);
        if (!ended) urgent.add(deliverer);
      }
      if (isLost(error)) return events.onLost(error);
      // Nothing more is sent than can be saved.
      isBehind = true;
      schedule();
    }
  }

  /** One save after another, because a later one must not overtake an earlier one. */
  function save(take: () => readonly Deliverer[], ended = false): Promise<void> {
    saving = saving.then(() => write(take(), ended));
    return saving;
  }

  const takeUrgent = () => {
    const deliverers = [...urgent];
    urgent.clear();
    for (const deliverer of deliverers) lazy.delete(deliverer);
    return deliverers;
  };
  const takeLazy = () => {
    const deliverers = [...new Set([...urgent, ...lazy])];
    urgent.clear();
    lazy.clear();
    return deliverers;
  };

  function schedule(): void {
    if (stopped) return;
    if (urgent.size > 0)
      cancelUrgent ??= clock.after(saveInterval, () => {
        cancelUrgent = undefined;
        void save(takeUrgent);
      });
    if (lazy.size > 0)
      cancelLazy ??= clock.after(LAZY_INTERVAL, () => {
        cancelLazy = undefined;
        void save(takeLazy);
      });
  }

  return {
    /** The last save failed, and is tried again. */
    get isBehind() {
      return isBehind;
    },
    changed(deliverer: Deliverer): void {
      (deliverer.hasNews || deliverer.isDone ? urgent : lazy).add(deliverer);
      schedule();
    },
    /** For deliverers that end. A failure is not told: what was not saved is delivered again. */
    async saveNow(deliverers: readonly Deliverer[]): Promise<void> {
      for (const deliverer of deliverers) {
        urgent.delete(deliverer);
        lazy.delete(deliverer);
      }
      await save(() => deliverers, true);
    },
    async stop(deliverers: readonly Deliverer[]): Promise<void> {
      stopped = true;
      cancelUrgent?.();
      cancelLazy?.();
      await save(() => deliverers, true);
    },
  };
}

const isLost = (error: unknown): boolean => error instanceof StoreError && error.code === "lease_lost";
