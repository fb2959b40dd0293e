import { Client, type ClientConfig } from "pg";
import { createWakeUp } from "../../../domain/wake-up.ts";
import { endInTime } from "./ending.ts";
import { anyUnstamped, CHANNEL, STAMPED_AT_ONCE, stamp } from "./stamp.ts";

/** How late what another node left is stamped at most, in milliseconds. */
const POLL_INTERVAL = 1000;
const MIN_BACKOFF = 50;
const MAX_BACKOFF = 2000;

/** This node's part in the log: a connection of its own that numbers events, and hears when any node did. */
export interface LogConnection extends AsyncDisposable {
  /** Events were committed. Those that come while others are being numbered go together. */
  stampSoon(): void;
}

/** @param onStamped called soon after events became readable, and when some may have without anybody hearing of it */
export function startLogConnection(connection: ClientConfig, onStamped: () => void): LogConnection {
  const work = createWakeUp();
  const stopping = new AbortController();
  const { signal } = stopping;

  /** For as long as the connection lives, or until all is stamped when it is to stop. */
  const serve = async (onConnected: () => void) => {
    const client = new Client(connection);
    // It shows in the next statement, which is made at once.
    client.on("error", () => work.ring());
    client.on("end", () => work.ring());
    client.on("notification", onStamped);
    try {
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
      onConnected();
      onStamped();
      let seen = -1;
      for (;;) {
        const called = work.count > seen;
        seen = work.count;
        if (called || (await anyUnstamped(client))) while ((await stamp(client)) === STAMPED_AT_ONCE);
        if (signal.aborted && work.count === seen) return;
        await work.wait(seen, POLL_INTERVAL, signal);
      }
    } finally {
      await client.end().catch(() => undefined);
    }
  };

  const run = async () => {
    const pause = createWakeUp();
    let failures = 0;
    while (!signal.aborted) {
      try {
        await serve(() => {
          failures = 0;
        });
      } catch {
        // Whoever waits for events polls too, and hears from its own reading why there are none.
        await pause.wait(0, Math.min(MAX_BACKOFF, MIN_BACKOFF * 2 ** failures++) * (0.5 + Math.random() / 2), signal);
      }
    }
  };
  const running = run();

  return {
    stampSoon: () => work.ring(),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await endInTime(running);
    },
  };
}
