import { expect, test } from "bun:test";
import { StoreError } from "../../../src/domain/errors.ts";
import { until } from "../../waiting.ts";
import { type Publish, SILENT, topic, useRelayedCatalog } from "./relayed-catalog.ts";

const { catalog, createAlbum, loggedIds, withRelay, cursor, caughtUp } = useRelayedCatalog();

test("the relay registers again after its cursor was deleted, and starts at the oldest event", async () => {
  const published: string[] = [];
  let lost = 0;
  const observer = { ...SILENT, cursorLost: () => lost++ };
  const publish: Publish = async (events) => {
    published.push(...events.map(({ attributes }) => attributes.id));
    if (published.length === 1) await catalog().write({ type: "deleteCursor", name: topic });
  };
  await createAlbum();
  await withRelay(publish, () => until(caughtUp), { observer });
  const [first] = await loggedIds();
  expect(published).toEqual([first, first] as string[]);
  expect(lost).toBe(1);
});

test("the relay restarts by itself when its cursor is deleted while it is idle", async () => {
  const published: string[] = [];
  const publish: Publish = async (events) => {
    published.push(...events.map(({ attributes }) => attributes.id));
  };
  await createAlbum();
  await withRelay(publish, async () => {
    await until(caughtUp);
    await catalog().write({ type: "deleteCursor", name: topic });
    await until(() => published.length === 2);
    await until(caughtUp);
  });
  const [first] = await loggedIds();
  expect(published).toEqual([first, first] as string[]);
});

test("after its cursor was deleted the relay publishes the old events before later ones", async () => {
  for (const pollInterval of [5, 3_600_000])
    for (let round = 0; round < 10; round++) {
      const published: string[] = [];
      const publish: Publish = async (events) => {
        published.push(...events.map(({ attributes }) => attributes.id));
      };
      await createAlbum();
      await withRelay(
        publish,
        async () => {
          await until(caughtUp);
          await catalog().write({ type: "deleteCursor", name: topic });
          const before = await loggedIds();
          await Promise.all([createAlbum(), createAlbum()]);
          const after = new Set((await loggedIds()).slice(before.length));
          await until(async () => (await cursor()) !== undefined && (await caughtUp()));
          const begins = published.lastIndexOf(before[0] ?? "");
          expect(published.slice(0, begins).filter((id) => after.has(id))).toEqual([]);
          expect(published.slice(begins)).toEqual(await loggedIds());
        },
        { pollInterval },
      );
    }
});

test("the relay continues at the oldest event when the log was pruned past its cursor", async () => {
  const published: string[] = [];
  let failing = true;
  const publish: Publish = async (events) => {
    if (failing) throw new StoreError("unavailable", "no broker");
    published.push(...events.map(({ attributes }) => attributes.id));
  };
  const later = 60_000;
  await createAlbum();
  await withRelay(publish, async () => {
    await until(async () => (await cursor()) !== undefined);
    await catalog().write({ type: "deleteCursor", name: topic });
    await catalog().write({ type: "pruneEvents", retention: -later, maxBytes: null, limit: 100 });
    await createAlbum();
    failing = false;
    await until(async () => published.length > 0 && (await caughtUp()));
  });
  expect(published).toEqual(await loggedIds());
});
