import { join } from "node:path";
import { type Client, createClient, type FollowOptions } from "../../client/src/index.ts";
import type { CloudEvent } from "../../src/domain/event.ts";

/** What a client was given, in its order. */
export interface ClientFollower {
  readonly name: string;
  readonly events: readonly CloudEvent[];
  /** How often it connected again; undefined where it does not say. */
  readonly reconnects?: () => number;
  stop(): Promise<void>;
}

/** `follow` of the client, for a reader that takes so many milliseconds for each event, and waits after the first. */
export function startFollow(
  name: string,
  url: string,
  options: FollowOptions & { readonly pause?: number; readonly onFirst?: () => Promise<void> } = {},
): ClientFollower {
  const stopping = new AbortController();
  const events: CloudEvent[] = [];
  let reconnects = 0;
  const { pause = 0, onFirst, ...selection } = options;
  const onReconnect = () => void (reconnects += 1);
  const run = async () => {
    for await (const { event } of createClient({ url }).follow({
      ...selection,
      onReconnect,
      signal: stopping.signal,
    })) {
      events.push(event as unknown as CloudEvent);
      if (events.length === 1) await onFirst?.();
      if (pause > 0) await Bun.sleep(pause);
    }
  };
  const running = run();
  // Told by `stop`. Until then it must not count as unhandled.
  running.catch(() => undefined);
  return {
    name,
    events,
    reconnects: () => reconnects,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

const MAIN = join(import.meta.dir, "../../src/main.ts");

/** The command in a process of its own. */
export interface Tail extends ClientFollower {
  readonly pid: number;
  /** Stops to read what it prints, until `read`. */
  hold(): void;
  read(): void;
  /** Its exit code and what it said, once it ended by itself. */
  readonly ended: Promise<{ readonly code: number; readonly err: string }>;
}

export function startTail(name: string, url: string, ...options: readonly string[]): Tail {
  const child = Bun.spawn([process.execPath, MAIN, "tail", "--url", url, ...options], {
    env: { PATH: process.env["PATH"], HOME: "/nonexistent" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const events: CloudEvent[] = [];
  let held: PromiseWithResolvers<void> | undefined;
  const collect = async () => {
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      const lines = (text + decoder.decode(chunk, { stream: true })).split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const { cursor, ...event } = JSON.parse(line) as CloudEvent & { cursor: string };
        if (cursor === "") throw new Error(`A line without a cursor: ${line}`);
        events.push(event);
      }
      await held?.promise;
    }
  };
  const ended = Promise.all([child.exited, child.stderr.text(), collect()]).then(([code, err]) => ({ code, err }));
  ended.catch(() => undefined);
  return {
    name,
    pid: child.pid,
    events,
    ended,
    hold: () => void (held ??= Promise.withResolvers()),
    read() {
      held?.resolve();
      held = undefined;
    },
    async stop() {
      child.kill("SIGINT");
      await ended;
    },
  };
}

/** The whole log, by REST. */
export async function readLog(url: string, after?: string): Promise<CloudEvent[]> {
  const client: Client = createClient({ url });
  const events: CloudEvent[] = [];
  for (let cursor = after; ; ) {
    const query = { limit: 1000, ...(cursor === undefined ? {} : { after: cursor }) };
    const page = await client.send("GET", "/v1/events", { query });
    events.push(...(page.items as unknown as CloudEvent[]));
    if (page.items.length === 0) return events;
    cursor = page.nextCursor;
  }
}
