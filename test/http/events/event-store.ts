import { expect } from "bun:test";
import type { Album } from "../../../src/domain/album.ts";
import type { CloudEvent } from "../../../src/domain/event.ts";
import { jsonOf, startStore } from "../harness.ts";

export interface EventPage {
  readonly items: readonly CloudEvent[];
  readonly nextCursor: string;
}

/** Seconds, the longest that a poll may wait: a poll that is answered sooner did not wait for its end. */
export const WAIT = 30;

export const seconds = async <Value>(work: Promise<Value>): Promise<[Value, number]> => {
  const started = performance.now();
  return [await work, (performance.now() - started) / 1000];
};

/** A store and its event log. */
export async function startEventStore() {
  const store = await startStore();
  let start = "";
  const read = async (query: string): Promise<EventPage> => jsonOf(await store.fetch(`/v1/events?${query}`));
  const since = (query = ""): Promise<EventPage> => read(`after=${start}${query}`);

  let names = 0;
  async function createAlbum(fields: object = {}): Promise<Album> {
    const response = await store.send("POST", "/v1/albums", { name: `album ${names++}`, ...fields });
    expect(response.status).toBe(201);
    return jsonOf(response);
  }

  return {
    store,
    read,
    createAlbum,
    /** Goes before each test, which then has the events of its own. */
    toEnd: async () => {
      start = (await read("after=latest")).nextCursor;
    },
    /** The end of the log when the test began. */
    start: () => start,
    /** The events since then. */
    since,
  };
}
