import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Album } from "../../src/domain/album.ts";
import type { CloudEvent } from "../../src/domain/event.ts";
import { decodeRecord } from "../cloud-events.ts";
import { jsonOf, startStore, type TestStore } from "../http/harness.ts";
import { until } from "../waiting.ts";
import { type KafkaBroker, kafkaIsMissing, startKafka } from "./kafka-broker.ts";
import { consumeTopic, countRecords } from "./kafka-consumer.ts";
import { dropLateDuplicates, readLog, waitForRelay } from "./relayed-log.ts";

const CHANGES = 5000;
const WRITERS = 16;
const ALBUMS = 40;

let kafka: KafkaBroker;
const missing = kafkaIsMissing();
beforeAll(async () => {
  if (!missing) kafka = await startKafka();
});
afterAll(async () => {
  if (!missing) await kafka[Symbol.asyncDispose]();
});

const newTopic = () => `image-store-test-${crypto.randomUUID()}`;
const startStoreWith = (topic: string) => startStore({ KAFKA_URL: `kafka://${kafka.address}/${topic}` });

const untilRecords = (topic: string, count: number) =>
  until(async () => (await countRecords(kafka.address, topic)) >= count, 50);

async function createAlbum(store: TestStore, name: string): Promise<Album> {
  const body = JSON.stringify({ name });
  const response = await fetch(`${store.url}/v1/albums`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body,
  });
  expect(response.status).toBe(201);
  return jsonOf<Album>(response);
}

/** `count` changes by many writers at once, each of which must succeed; `beforeChange` is told which comes and may wait. */
async function change(
  store: TestStore,
  count: number,
  beforeChange: (index: number) => Promise<void> | undefined = () => undefined,
): Promise<void> {
  const names = Array.from({ length: ALBUMS }, () => crypto.randomUUID());
  await Promise.all(names.map((name) => createAlbum(store, name)));
  let made = ALBUMS;
  const write = async (): Promise<void> => {
    while (made < count) {
      const name = names[made % ALBUMS] ?? "";
      await beforeChange(++made);
      const response = await fetch(`${store.url}/v1/albums/${name}`, {
        method: "PATCH",
        headers: { "Content-Type": "application/merge-patch+json" },
        body: JSON.stringify({ title: `change ${made}` }),
      });
      expect(response.status).toBe(200);
      await response.body?.cancel();
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
}

describe.skipIf(missing)("the store with Kafka", () => {
  test("publishes every change in album order although the broker is killed and restarted", async () => {
    const topic = newTopic();
    await using store = await startStoreWith(topic);
    let outage: Promise<void> | undefined;
    // The first quarter with the broker, the next two without it, the last when it is back.
    await change(store, CHANGES, (index) => {
      if (index > CHANGES / 4) outage ??= kafka.kill().then(() => kafka.start());
      return index > (CHANGES * 3) / 4 ? outage : undefined;
    });
    await waitForRelay(store, topic);

    const log = await readLog(store);
    expect(log.length).toBe(CHANGES);
    const records = await consumeTopic(kafka.address, topic);
    expect(records.every((record) => record.key === decodeRecord(record).partitionkey)).toBe(true);
    const received = dropLateDuplicates(records.map(decodeRecord));
    expect(received.size).toBe(ALBUMS);
    for (const [albumId, events] of Map.groupBy(log, ({ partitionkey }) => partitionkey)) {
      expect(received.get(albumId)).toEqual(events);
    }
  });

  test("replays the whole log after DELETE of the relay's cursor, before later changes", async () => {
    const topic = newTopic();
    await using store = await startStoreWith(topic);
    const names = ["idle", "changed"];
    for (const name of names) await createAlbum(store, name);
    await waitForRelay(store, topic);
    const giveUp = async () =>
      expect((await store.fetch(`/v1/cursors/${topic}`, { method: "DELETE" })).status).toBe(204);
    await giveUp();
    // Without a further change.
    await untilRecords(topic, 4);
    await giveUp();
    await store.send(
      "PATCH",
      "/v1/albums/changed",
      { title: "later" },
      { "Content-Type": "application/merge-patch+json" },
    );
    const log = await readLog(store);
    expect(log).toHaveLength(3);
    await untilRecords(topic, 7);
    await waitForRelay(store, topic);
    const records = (await consumeTopic(kafka.address, topic)).map(decodeRecord);
    for (const [albumId, events] of Map.groupBy(log, ({ partitionkey }) => partitionkey)) {
      const received = records.filter(({ partitionkey }) => partitionkey === albumId);
      // The third time that its oldest comes.
      const begins = received.findLastIndex(({ id }) => id === events[0]?.id);
      expect(begins).toBe(2);
      expect(received.slice(begins)).toEqual(events);
    }
  });

  test("publishes a range of the log again after its cursor is rewound, in order, while changes go on", async () => {
    const topic = newTopic();
    await using store = await startStoreWith(topic);
    await change(store, 1500);
    await waitForRelay(store, topic);
    const { items } = await jsonOf<{ items: { name: string; cursor: string }[] }>(
      await store.fetch("/v1/events?limit=700"),
    );
    expect(items).toHaveLength(700);
    const { nextCursor: to } = await jsonOf<{ nextCursor: string }>(await store.fetch("/v1/events?limit=700"));
    const before = await countRecords(kafka.address, topic);
    const [rewound] = await Promise.all([
      store.send("POST", `/v1/cursors/${topic}/rewind`, { to }),
      change(store, 600),
    ]);
    expect(rewound.status).toBe(200);
    const log = (await readLog(store)).filter(({ type }) => type !== "imagestore.cursor.rewound");
    const owed = log.slice(700);
    await untilRecords(topic, before + owed.length);
    await waitForRelay(store, topic);
    const records = (await consumeTopic(kafka.address, topic)).map(decodeRecord);
    for (const [albumId, events] of Map.groupBy(log, ({ partitionkey }) => partitionkey)) {
      const received = records.filter(({ partitionkey }) => partitionkey === albumId);
      const again = events.filter((event) => owed.includes(event));
      const begins = received.findLastIndex(({ id }) => id === again[0]?.id);
      if (again.length > 0) expect(received.slice(begins)).toEqual(again);
    }
  });

  test("serves requests without the broker and publishes their events when it is back", async () => {
    const topic = newTopic();
    await kafka.kill();
    let log: CloudEvent[];
    {
      await using store = await startStoreWith(topic);
      await change(store, 200);
      log = await readLog(store);
      const metrics = await (await store.fetch("/metrics")).text();
      expect(metrics).toMatch(/^image_store_relay_lag_events 200$/m);
      await kafka.start();
      await waitForRelay(store, topic);
    }
    const received = (await consumeTopic(kafka.address, topic)).map(decodeRecord);
    expect(received.map(({ id }) => id).sort()).toEqual(log.map(({ id }) => id).sort());
  });
});
