import { expect, test } from "bun:test";
import { StoreError } from "../../../src/domain/errors.ts";
import type { Catalog } from "../../../src/ports.ts";
import { runRelay } from "../../../src/workers/relay.ts";
import { until } from "../../waiting.ts";
import { type Publish, SILENT, topic, useRelayedCatalog } from "./relayed-catalog.ts";

const { catalog, createAlbum, loggedIds, withRelay, cursor, caughtUp } = useRelayedCatalog();

test("the relay publishes existing and new events and saves its cursor", async () => {
  await createAlbum();
  const published: string[] = [];
  const counts: number[] = [];
  const observer = { ...SILENT, published: (events: number) => counts.push(events) };
  const publish: Publish = async (events) => {
    published.push(...events.map(({ attributes }) => attributes.id));
  };
  await withRelay(
    publish,
    async () => {
      await until(caughtUp);
      await createAlbum();
      await until(caughtUp);
    },
    { observer },
  );
  expect(published).toEqual(await loggedIds());
  expect(counts).toEqual([1, 1]);
});

test("the relay is notified of a change before its poll", async () => {
  let published = 0;
  const publish: Publish = async (events) => {
    published += events.length;
  };
  await withRelay(
    publish,
    async () => {
      await until(async () => (await cursor()) !== undefined);
      await createAlbum();
      await until(() => published === 1);
    },
    { pollInterval: 3_600_000 },
  );
});

test("the relay finds by its poll what it was not notified of", async () => {
  let published = 0;
  const publish: Publish = async (events) => {
    published += events.length;
  };
  const silent: Catalog = Object.assign(Object.create(catalog()) as Catalog, { onEvents: () => () => {} });
  await withRelay(
    publish,
    async () => {
      await until(async () => (await cursor()) !== undefined);
      await createAlbum();
      await until(() => published === 1);
    },
    { catalog: silent },
  );
});

test("the relay saves its cursor only after the acknowledgement", async () => {
  await createAlbum();
  const acknowledged = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const publish: Publish = async () => {
    begun.resolve();
    await acknowledged.promise;
  };
  await withRelay(publish, async () => {
    await begun.promise;
    await Bun.sleep(20);
    expect((await cursor())?.lagEvents).toBe(1);
    acknowledged.resolve();
    await until(caughtUp);
  });
});

test("the relay stops at once when aborted during any of its waits", async () => {
  await createAlbum();
  await withRelay(
    () => Promise.withResolvers<void>().promise,
    async () => Bun.sleep(5),
  );
  await withRelay(
    () => Promise.reject(new StoreError("unavailable", "no broker")),
    async () => Bun.sleep(5),
  );
  const stopped = new AbortController();
  stopped.abort();
  await runRelay({ catalog: catalog(), publisher: { topic, publish: async () => {} } }, stopped.signal);
});
