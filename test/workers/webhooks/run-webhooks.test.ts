import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { openDatabaseFile } from "../../open-database-file.ts";
import { until } from "../../waiting.ts";
import { hourly, useDeliveredCatalog } from "./delivered-catalog.ts";
import { startReceiver } from "./receiver.ts";

const { folder, catalog, disabled, deliver, create, createAlbum, rename, stateOf, caughtUp, ofRecords } =
  useDeliveredCatalog();

const IN_TEN_YEARS_MS = 10 * 365 * 24 * 3600 * 1000;
const ahead = () => Date.now() + IN_TEN_YEARS_MS;

describe("webhooks", () => {
  test("get the events since they were made, in order, and keep their attempts", async () => {
    await using receiver = startReceiver();
    await createAlbum("before");
    const id = await create(receiver.url);
    const album = await createAlbum();
    await using _ = deliver();
    await rename(album);
    await until(() => receiver.events.length === 2);
    await rename(album);
    await until(() => receiver.events.length === 3);
    await until(() => caughtUp(id));
    expect(receiver.events.map((event) => event.id)).toEqual((await ofRecords()).slice(1));
    const { items } = await catalog().webhookDeliveries({ webhookId: id, limit: 10 });
    expect(items.map(({ delivered, status, attempt }) => ({ delivered, status, attempt }))).toEqual(
      Array.from({ length: 3 }, () => ({ delivered: true, status: 204, attempt: 1 })),
    );
    expect(items.map(({ eventId }) => eventId)).toEqual(receiver.events.map((event) => event.id).toReversed());
  });

  test("that are made, changed, paused and deleted meanwhile are noticed", async () => {
    await using receiver = startReceiver();
    await using other = startReceiver();
    await using _ = deliver();
    const id = await create(receiver.url);
    await createAlbum();
    await until(() => receiver.events.length === 1);
    await catalog().write({ type: "updateWebhook", id, patch: { url: other.url } });
    const moved = await createAlbum();
    await until(() => other.events.some(({ partitionkey }) => partitionkey === moved));
    await catalog().write({ type: "updateWebhook", id, patch: { paused: true } });
    const before = await createAlbum();
    await catalog().write({ type: "updateWebhook", id, patch: { paused: false } });
    await until(() => other.events.some(({ partitionkey }) => partitionkey === before));
    await catalog().write({ type: "deleteWebhook", id });
    await using third = startReceiver();
    const last = await create(third.url, { types: ["imagestore.album.deleted"] });
    const album = await createAlbum();
    await catalog().write({ type: "deleteAlbum", albumId: album, recursive: false });
    await until(() => third.events.length === 1);
    await until(() => caughtUp(last));
    expect(third.events.map(({ partitionkey }) => partitionkey)).toEqual([album]);
  });

  test("that come back after a change of what they get have every event since the change", async () => {
    let isAway = true;
    await using receiver = startReceiver(
      () => new Response(null, isAway ? { status: 503, headers: { "retry-after": "1" } } : { status: 204 }),
    );
    const id = await create(receiver.url, { types: ["imagestore.album.created"] });
    await using _ = deliver({ pollInterval: 3000 });
    const album = await createAlbum();
    await until(() => receiver.requests > 0);
    await createAlbum();
    await until(async () => (await stateOf(id)).delivery.retryAt !== null);
    isAway = false;
    await catalog().write({ type: "updateWebhook", id, patch: { types: ["imagestore.album.updated"] } });
    await rename(album);
    await until(() => receiver.events.some(({ type }) => type === "imagestore.album.updated"));
  });

  test("end a replay of whose range the log has nothing more", async () => {
    await using receiver = startReceiver();
    const id = await create(receiver.url);
    await createAlbum();
    const { lastSequence } = await catalog().log();
    {
      using db = openDatabaseFile(join(folder(), "catalog.sqlite"));
      db.run(
        "insert into webhook_readers (webhook_id, kind, generation, position, until) values (?1, 'replay', 1, ?2, ?2)",
        [id, lastSequence],
      );
    }
    expect((await stateOf(id)).delivery.replay).not.toBeNull();
    await using _ = deliver();
    await until(async () => (await stateOf(id)).delivery.replay === null);
  });

  test("that a clock ahead of time put off for years are sent once the clock is right", async () => {
    await using receiver = startReceiver();
    let answer = 500;
    await using failing = startReceiver(() => new Response(null, { status: answer }));
    const id = await create(failing.url);
    const other = await create(receiver.url);
    {
      await using _ = deliver({ now: ahead, retryDelay: hourly });
      await createAlbum();
      await until(async () => (await stateOf(id)).delivery.blockedAlbums === 1 && (await caughtUp(other)));
    }
    answer = 204;
    await using _ = deliver({ retryDelay: hourly });
    await until(() => failing.events.length === 1);
  });

  test("get only what they select, by type and by the names of albums at the time", async () => {
    await using receiver = startReceiver();
    await using audit = startReceiver();
    const id = await create(receiver.url, {
      types: ["imagestore.album.updated"],
      albums: { names: ["press-*"] },
    });
    const auditId = await create(audit.url, { types: ["imagestore.webhook.created"] });
    await using _ = deliver();
    const album = await createAlbum("press-1");
    await rename(album, "press-2");
    await rename(album, "private");
    await rename(album, "press-3");
    const made = await create(receiver.url, { types: ["imagestore.quota.updated"] });
    await until(() => caughtUp(id));
    await until(() => audit.events.some(({ subject }) => subject === `webhooks/${made}`));
    const updates = (await catalog().events({ visibility: "all", limit: 10 })).events.slice(1);
    expect(receiver.events.map((event) => event.id)).toEqual([updates[0]?.id ?? "", updates[2]?.id ?? ""]);
    await until(async () => (await caughtUp(auditId)) && (await caughtUp(made)));
    expect(receiver.events.length).toBe(2);
  });

  test("whose receiver fails at random get every event, in order, while others are served", async () => {
    let count = 0;
    await using flaky = startReceiver(() => new Response(null, { status: count++ % 5 === 0 ? 500 : 204 }));
    await using fine = startReceiver();
    const ids = [await create(flaky.url), await create(fine.url)];
    await using _ = deliver();
    const albums = await Promise.all(Array.from({ length: 20 }, () => createAlbum()));
    for (let round = 0; round < 20; round++) await Promise.all(albums.map((album) => rename(album)));
    for (const id of ids) await until(() => caughtUp(id));
    for (const receiver of [flaky, fine]) {
      expect(receiver.events.length).toBe(420);
      expect({ outOfOrder: receiver.outOfOrder(), duplicates: receiver.duplicates }).toEqual({
        outOfOrder: 0,
        duplicates: 0,
      });
    }
    expect(flaky.requests).toBeGreaterThan(420);
  });

  test("whose receiver hangs take no place of the others", async () => {
    const open: (() => void)[] = [];
    const hang = () => new Promise<Response>((resolve) => open.push(() => resolve(new Response("late"))));
    await using hanging = startReceiver(hang);
    await using fine = startReceiver();
    await Promise.all(Array.from({ length: 30 }, () => create(hanging.url)));
    const id = await create(fine.url);
    {
      await using _ = deliver({ maxInFlight: 32, timeout: 200 });
      const albums = await Promise.all(Array.from({ length: 10 }, () => createAlbum()));
      await Promise.all(albums.map((album) => rename(album)));
      await until(() => caughtUp(id));
      expect(fine.events.length).toBe(20);
      expect(hanging.events.length).toBe(0);
      for (const resolve of open.splice(0)) resolve();
    }
  });

  test("that lag get every event beside others whose receivers hang", async () => {
    await using hanging = startReceiver(() => new Promise<Response>(() => undefined));
    await using receiver = startReceiver();
    for (let made = 0; made < 4; made++) await create(hanging.url);
    const ids = [await create(receiver.url), await create(receiver.url, { types: ["imagestore.album.updated"] })];
    const albums = await Promise.all(Array.from({ length: 30 }, () => createAlbum()));
    for (let round = 0; round < 20; round++) await Promise.all(albums.map((album) => rename(album)));
    await using _ = deliver({ timeout: 10_000, retryDelay: hourly });
    for (const id of ids) await until(() => caughtUp(id));
    expect({ events: receiver.events.length, duplicates: receiver.duplicates }).toEqual({
      events: 630,
      duplicates: 600,
    });
  });

  test("that lag far behind catch up and then follow the log", async () => {
    await using receiver = startReceiver();
    const id = await create(receiver.url);
    const albums = await Promise.all(Array.from({ length: 50 }, () => createAlbum()));
    for (let round = 0; round < 40; round++) await Promise.all(albums.map((album) => rename(album)));
    await using _ = deliver();
    await until(() => caughtUp(id));
    expect(receiver.events.length).toBe(2050);
    await rename(albums[0] ?? "");
    await until(() => receiver.events.length === 2051);
    expect({ outOfOrder: receiver.outOfOrder(), duplicates: receiver.duplicates }).toEqual({
      outOfOrder: 0,
      duplicates: 0,
    });
  });

  test("whose receiver answers 410 are disabled, and go on where they stopped once enabled", async () => {
    let status = 410;
    await using receiver = startReceiver(() => new Response(null, { status }));
    const id = await create(receiver.url);
    await using _ = deliver();
    const album = await createAlbum();
    await until(async () => (await stateOf(id)).disabled?.reason === "gone");
    await until(() => disabled.length > 0);
    expect(disabled).toEqual([[id, "gone"]]);
    await rename(album);
    status = 200;
    await catalog().write({ type: "updateWebhook", id, patch: { disabled: null } });
    await until(() => caughtUp(id));
    expect(receiver.events.map((event) => event.id)).toEqual(await ofRecords());
    expect(disabled).toEqual([[id, "gone"]]);
  });

  test("send a range again, beside the events that come", async () => {
    await using receiver = startReceiver();
    const id = await create(receiver.url);
    await using _ = deliver();
    const { epoch, lastSequence } = await catalog().log();
    const albums = await Promise.all(Array.from({ length: 5 }, () => createAlbum()));
    await until(() => caughtUp(id));
    const to = { epoch, seq: lastSequence + 3 };
    await catalog().write({ type: "replayWebhook", id, from: { epoch, seq: lastSequence }, to });
    await until(() => receiver.duplicates === 3);
    await rename(albums[0] ?? "");
    await until(async () => (await caughtUp(id)) && (await stateOf(id)).delivery.replay === null);
    expect({ events: receiver.events.length, duplicates: receiver.duplicates }).toEqual({ events: 6, duplicates: 3 });
    await catalog().write({ type: "replayWebhook", id, from: { epoch, seq: lastSequence }, to: null });
    await until(() => receiver.duplicates === 9);
    await until(() => caughtUp(id));
    expect(receiver.events.length).toBe(6);
  });
});
