import { Client, type ClientConfig } from "pg";
import { pause } from "../../../concurrency/clock.ts";
import { createNotifier } from "../../../concurrency/notifier.ts";
import { backoff } from "../../../concurrency/retry.ts";
import { within } from "../../../concurrency/timeout.ts";
import { MAX_CLOSING } from "./pool.ts";
import { anyUnstamped, CHANNEL, STAMPED_AT_ONCE, settingsOf, stamp } from "./stamp.ts";

/** Interval in milliseconds at which events of other nodes without a number are looked for. */
const POLL_INTERVAL = 1000;
const BACKOFF = { minBackoff: 50, maxBackoff: 2000 };

/** A connection that numbers events, and is notified when any node has numbered some. */
export interface LogConnection extends AsyncDisposable {
  /** Call after events were committed. Events that come while others are numbered are numbered together. */
  stampSoon(): void;
}

/** Observes the numbering of events on this node. Other nodes number events too. */
export interface LogObserver {
  /** The next attempt follows after `delay` milliseconds; `attempts` counts failures in a row. */
  failed(error: unknown, retry: { attempts: number; delay: number }): void;
  /** After a failure. */
  recovered(): void;
}

export interface LogConnectionOptions {
  readonly connection: ClientConfig;
  /** Called soon after events became readable, and when a notification of that may have been missed. */
  readonly onStamped: () => void;
  /** The settings of the database before the first connection for changes. */
  readonly settings: string;
  /** Called when the settings have changed. */
  readonly onSettingsChanged: () => void;
  readonly observer?: LogObserver | undefined;
}

export function startLogConnection(options: LogConnectionOptions): LogConnection {
  const { connection, onStamped, onSettingsChanged, observer } = options;
  const work = createNotifier();
  const stopping = new AbortController();
  const { signal } = stopping;
  let { settings } = options;
  let attempts = 0;

  const worked = () => {
    if (attempts > 0) observer?.recovered();
    attempts = 0;
  };

  /** Reads the settings at most once an interval. */
  const createSettingsCheck = (client: Client) => {
    let lookAt = 0;
    return async (): Promise<boolean> => {
      if (performance.now() < lookAt) return true;
      lookAt = performance.now() + POLL_INTERVAL;
      const found = await settingsOf(client);
      const known = settings === found;
      settings = found;
      return known;
    };
  };

  /** For as long as the connection lives and knows how the database is set up, or until all is stamped when it is to stop. */
  const serve = async () => {
    const client = new Client(connection);
    // It shows in the next statement, which is made at once.
    client.on("error", () => work.notify());
    client.on("end", () => work.notify());
    client.on("notification", onStamped);
    const settingsAreKnown = createSettingsCheck(client);
    try {
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
      onStamped();
      // It looks for what there is before it takes a lock: a database that is read-only refuses that.
      let seen = work.count;
      let called = false;
      for (;;) {
        if (!(await settingsAreKnown())) return onSettingsChanged();
        if (called || (await anyUnstamped(client))) while ((await stamp(client)) === STAMPED_AT_ONCE);
        worked();
        if (signal.aborted && work.count === seen) return;
        await work.wait(seen, POLL_INTERVAL, signal);
        called = work.count > seen;
        seen = work.count;
      }
    } finally {
      await client.end().catch(() => undefined);
    }
  };

  const run = async () => {
    while (!signal.aborted) {
      try {
        await serve();
      } catch (error) {
        const delay = backoff(BACKOFF, attempts++);
        observer?.failed(error, { attempts, delay });
        await pause(delay, signal);
      }
    }
  };
  const running = run();

  return {
    stampSoon: () => work.notify(),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await within(MAX_CLOSING, running, () => {});
    },
  };
}
