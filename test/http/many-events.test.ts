import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { openDatabaseFile } from "../open-database-file.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";

const EVENTS = 300_000;
/** The store writes too, and gives up when it waits for seconds. */
const AT_ONCE = 20_000;
const UNKNOWN = "0192e4a0-7c1b-7d3e-9f00-4a5b6c7d8e9f";
const RARE = "0192e4a0-7c1b-7d3e-9f00-4a5b6c7d8e90";

/** The data folder is a store's own, so that this is about the embedded catalog whatever the other tests run against. */
describe("filters on a log of 300,000 events", () => {
  setDefaultTimeout(60_000);
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore({ CATALOG_URL: "", EVENTS_RETENTION: "forever" });
    using db = openDatabaseFile(join(store.dataFolder, "catalog.sqlite"));
    for (let first = 1; first < EVENTS; first += AT_ONCE) {
      db.run(
        `with recursive numbers (n) as (select ?1 union all select n + 1 from numbers where n < ?2)
         insert into events (id, type, album_id, image_id, time, data)
         select 'e' || n, 'imagestore.image.' || case n % 2 when 0 then 'created' else 'updated' end, 'a' || (n % 500),
           'i' || n, n, '{}' from numbers`,
        [first, Math.min(first + AT_ONCE, EVENTS) - 1],
      );
    }
    db.run(
      "insert into events (id, type, album_id, time, data) values ('rare', 'imagestore.album.deleted', ?1, 1, '{}')",
      [RARE],
    );
  });
  afterAll(() => store[Symbol.asyncDispose]());

  /** Reads of the log so far, however they came out. */
  const readsOfLog = async () => {
    const metrics = await (await store.fetch("/metrics")).text();
    const counts = metrics.matchAll(
      /^image_store_catalog_operation_duration_seconds_count\{operation="events".*\} (\d+)$/gm,
    );
    return counts.reduce((sum, [, count]) => sum + Number(count), 0);
  };

  test.each([
    [`albumId=${UNKNOWN}`, 0],
    [`albumId=${UNKNOWN}&type=image.created`, 0],
    ["type=album.created", 0],
    ["type=album.created,album.updated", 0],
    [`albumId=${RARE}`, 1],
    ["type=album.deleted", 1],
  ])("%s is answered by one read, with a cursor at the end", async (filter, found) => {
    const { nextCursor: end } = await jsonOf<{ nextCursor: string }>(await store.fetch("/v1/events?after=latest"));
    const before = await readsOfLog();
    const responses = await Promise.all([
      ...Array.from({ length: 8 }, () => fetch(`${store.url}/v1/events?${filter}&limit=5`)),
      store.fetch("/healthz"),
    ]);
    expect(responses.map(({ status }) => status)).toEqual(responses.map(() => 200));
    for (const response of responses.slice(0, -1)) {
      const { items, nextCursor } = await jsonOf<{ items: unknown[]; nextCursor: string }>(response);
      expect({ items: items.length, nextCursor }).toEqual({ items: found, nextCursor: end });
    }
    // Readers that ask for the same at the same time share it. The workers that follow the log read it too, the more often the
    // longer a busy machine takes; a walk of the whole log would be hundreds of reads for each.
    expect((await readsOfLog()) - before).toBeWithin(1, 100);
  });
});
