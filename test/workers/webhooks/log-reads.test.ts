import { describe, expect, test } from "bun:test";
import type { Catalog, EventBatch, EventQuery } from "../../../src/ports.ts";
import { createManualClock } from "../../concurrency/manual-clock.ts";
import { until } from "../../waiting.ts";
import { hourly, useDeliveredCatalog } from "./delivered-catalog.ts";
import { startReceiver } from "./receiver.ts";

const { catalog, deliver, create, createAlbum, rename, stateOf } = useDeliveredCatalog();

/** A catalog whose reads of the log for all webhooks the test sees, and may delay. They alone say which albums they leave out. */
function watchReads(
  onRead: (query: EventQuery, batch: EventBatch) => void | Promise<void>,
  onBegin: () => void = () => {},
): Catalog {
  const events: Catalog["events"] = async (query) => {
    if ("exceptAlbums" in query) onBegin();
    const batch = await catalog().events(query);
    if ("exceptAlbums" in query) await onRead(query, batch);
    return batch;
  };
  return Object.assign(Object.create(catalog()), { events }) as Catalog;
}

/** Reads of the log for all webhooks while the clock passes a second, with a commit every ten milliseconds. */
async function readsOfASecond(status: number): Promise<number> {
  const { clock, advance } = createManualClock();
  await using receiver = startReceiver(() => new Response(null, { status }));
  const id = await create(receiver.url);
  const album = await createAlbum();
  let [begun, reads, read] = [0, 0, 0];
  const watched = watchReads(
    (_query, { events }) => {
      reads++;
      read += events.filter(({ albumId }) => albumId === album).length;
    },
    () => void begun++,
  );
  await using _ = deliver({ catalog: watched, clock, retryDelay: hourly, pollInterval: 60_000 });
  await until(async () => {
    advance(10);
    return (await catalog().webhookDeliveries({ webhookId: id, limit: 1 })).items.length > 0;
  });
  const before = reads;
  for (let passed = 0; passed < 1000; passed += 10) {
    await rename(album);
    advance(10);
    await Bun.sleep(0);
    // However long a read and its deliveries take on a busy machine, the clock stands still meanwhile.
    await until(() => begun === reads && (status !== 204 || receiver.events.length >= read));
    await Bun.sleep(0);
  }
  await catalog().write({ type: "deleteWebhook", id });
  return reads - before;
}

describe("reads of the log", () => {
  test("are a tenth where the last attempt of every webhook failed", async () => {
    const whileFailing = await readsOfASecond(500);
    expect(whileFailing).toBeGreaterThan(0);
    expect(whileFailing).toBeLessThanOrEqual(11);
    expect(await readsOfASecond(204)).toBeGreaterThan(3 * whileFailing);
  });

  test("leave out an album whose events wait for a retry, and find all else", async () => {
    await using receiver = startReceiver(() => new Response(null, { status: 500 }));
    const ids = [await create(receiver.url), await create(receiver.url)];
    const album = await createAlbum();
    for (let round = 0; round < 40; round++) await rename(album);
    let found: string[] = [];
    const watched = watchReads((_query, { events }) => void found.push(...events.map(({ albumId }) => albumId)));
    await using _ = deliver({ catalog: watched, retryDelay: hourly });
    for (const id of ids) await until(async () => (await stateOf(id)).delivery.blockedAlbums === 1);
    found = [];
    await rename(album);
    const other = await createAlbum();
    await until(() => found.includes(other));
    expect(found).not.toContain(album);
    await using made = startReceiver();
    await create(made.url);
    const last = await createAlbum();
    await until(() => made.events.some(({ partitionkey }) => partitionkey === last));
  });

  test("that leave out an album which catches up meanwhile are made up for", async () => {
    const { clock, advance } = createManualClock();
    let status = 500;
    await using receiver = startReceiver(() => new Response(null, { status }));
    await create(receiver.url);
    const album = await createAlbum();
    for (let round = 0; round < 40; round++) await rename(album);
    const { lastSequence } = await catalog().log();
    const released = Promise.withResolvers<void>();
    let isLeftOut = false;
    let isHeld = false;
    const watched = watchReads(({ exceptAlbums }, { next }) => {
      isLeftOut ||= exceptAlbums !== undefined;
      isHeld ||= exceptAlbums !== undefined && next.seq > lastSequence;
      return isHeld ? released.promise : undefined;
    });
    const start = Date.now();
    const now = () => start + clock.now();
    await using _ = deliver({ catalog: watched, clock, now, retryDelay: hourly });
    const untilLater = (condition: () => boolean) =>
      until(() => {
        advance(10);
        return condition();
      });
    await untilLater(() => isLeftOut);
    await rename(album);
    await untilLater(() => isHeld);
    status = 204;
    advance(hourly());
    await untilLater(() => receiver.events.length === 41);
    released.resolve();
    await untilLater(() => receiver.events.length === 42);
    expect({ outOfOrder: receiver.outOfOrder(), duplicates: receiver.duplicates }).toEqual({
      outOfOrder: 0,
      duplicates: 0,
    });
  });
});
