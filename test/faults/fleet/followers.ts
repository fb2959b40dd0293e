import { setTimeout as sleep } from "node:timers/promises";
import type { CloudEvent } from "../../../src/domain/event.ts";
import { openStream } from "../../http/event-stream.ts";

/** Reads the log from where it ends now, as it grows, until stopped. */
export interface Follower {
  readonly name: string;
  /** What came, in its order. */
  readonly events: readonly CloudEvent[];
  stop(): Promise<void>;
}

type Follow = (at: () => string, from: string, events: CloudEvent[], stopping: AbortSignal) => Promise<void>;

/** @param at answers the node for the next request */
export const followByRest = (at: () => string): Promise<Follower> => start("REST", at, pollLog);

export const followByStream = (at: () => string): Promise<Follower> => start("SSE", at, streamLog);

/** Resolves once it is known where the follower begins. */
async function start(name: string, at: () => string, follow: Follow): Promise<Follower> {
  const stopping = new AbortController();
  const events: CloudEvent[] = [];
  const { nextCursor } = await readPage(`${at()}/v1/events?after=latest`, stopping.signal);
  const following = follow(at, nextCursor, events, stopping.signal);
  return {
    name,
    events,
    async stop() {
      stopping.abort();
      await following;
    },
  };
}

const pollLog: Follow = async (at, from, events, stopping) => {
  let after = from;
  await untilStopped(stopping, async () => {
    const page = await readPage(`${at()}/v1/events?after=${after}&limit=500&wait=10`, stopping);
    events.push(...page.items);
    after = page.nextCursor;
  });
};

const streamLog: Follow = async (at, from, events, stopping) => {
  let last = from;
  await untilStopped(stopping, async () => {
    const stream = await openStream(`${at()}/v1/events/stream`, { "last-event-id": last });
    const close = () => void stream.close();
    stopping.addEventListener("abort", close);
    try {
      for (let block = await stream.next(); block?.data !== undefined; block = await stream.next()) {
        events.push(JSON.parse(block.data) as CloudEvent);
        last = block.id ?? last;
      }
    } finally {
      stopping.removeEventListener("abort", close);
    }
  });
};

/** A store that is away, or a connection that broke, is asked again. */
async function untilStopped(stopping: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!stopping.aborted) {
    try {
      await work();
    } catch {
      await sleep(50);
    }
  }
}

async function readPage(url: string, signal: AbortSignal): Promise<{ items: CloudEvent[]; nextCursor: string }> {
  const response = await fetch(url, { signal });
  if (!response.ok) throw new Error(`GET ${url} answered ${response.status}`);
  return (await response.json()) as { items: CloudEvent[]; nextCursor: string };
}

/** What is wrong with what a reader got; nothing, where it is the log. */
export function compareWithLog(name: string, read: readonly CloudEvent[], log: readonly CloudEvent[]): string[] {
  const problems: string[] = [];
  const due = new Map(log.map((event, index) => [event.id, index]));
  const got = new Set(read.map(({ id }) => id));
  const missing = log.filter(({ id }) => !got.has(id));
  if (missing.length > 0) problems.push(`${name} missed ${missing.length} events, first ${missing[0]?.sequence}`);
  if (got.size < read.length) problems.push(`${name} read ${read.length - got.size} events twice`);
  const unknown = read.filter(({ id }) => !due.has(id));
  if (unknown.length > 0) problems.push(`${name} read ${unknown.length} events that are not in the log`);
  const places = read.map(({ id }) => due.get(id) ?? 0);
  const early = places.findIndex((place, index) => index > 0 && place < (places[index - 1] ?? 0));
  if (early !== -1) problems.push(`${name} read ${read[early]?.sequence} after a later one`);
  const differs = read.find((event) => !Bun.deepEquals(event, log[due.get(event.id) ?? -1] ?? event));
  if (differs !== undefined) problems.push(`${name} read ${differs.sequence} as something else`);
  return problems;
}
