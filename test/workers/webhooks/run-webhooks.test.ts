import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { openSqliteCatalog } from "../../../src/adapters/catalog/sqlite.ts";
import { createOutbound } from "../../../src/adapters/outbound/outbound.ts";
import { createWebhookSender } from "../../../src/adapters/outbound/webhook-sender.ts";
import { parseOwnHosts } from "../../../src/config/addresses.ts";
import { EMPTY_ALBUM_FIELDS } from "../../../src/domain/album.ts";
import { StoreError } from "../../../src/domain/errors.ts";
import type { DisabledReason, WebhookSelection } from "../../../src/domain/webhook.ts";
import type { CreateWebhook } from "../../../src/domain/webhook-changes.ts";
import { newWebhookSecret } from "../../../src/domain/webhook-secret.ts";
import type { Catalog, EventBatch, EventQuery } from "../../../src/ports.ts";
import type { WebhooksOptions } from "../../../src/workers/webhooks/options.ts";
import { runWebhooks } from "../../../src/workers/webhooks/run-webhooks.ts";
import { createManualClock } from "../../concurrency/manual-clock.ts";
import { openDatabaseFile } from "../../open-database-file.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { until } from "../../waiting.ts";
import { startReceiver } from "./receiver.ts";

let folder: string;
let catalog: Catalog;
beforeEach(async () => {
  folder = await newFolder("webhooks");
  catalog = await openSqliteCatalog({
    path: join(folder, "catalog.sqlite"),
    exclusive: false,
    writer: "inline",
    onFatal: (error) => {
      throw error;
    },
  });
});
afterEach(async () => {
  await catalog[Symbol.asyncDispose]();
  await removeFolder(folder);
});

const rules = { http: true, ports: [[1, 65_535]] as const, allowed: parseOwnHosts("127.0.0.1") };
const disabled: [string, DisabledReason][] = [];

/** Delivers until the result is disposed of. */
function deliver({
  timeout = 60_000,
  ...options
}: Partial<WebhooksOptions> & { timeout?: number } = {}): AsyncDisposable {
  const stop = new AbortController();
  const sender = createWebhookSender({ outbound: createOutbound({ rules }), userAgent: "test", timeout });
  disabled.length = 0;
  const observer = {
    attempted: () => {},
    disabled: (id: string, reason: DisabledReason) => void disabled.push([id, reason]),
    failed: () => {},
  };
  const quick = { minBackoff: 1, maxBackoff: 5, pollInterval: 20, saveInterval: 10, retryDelay: () => 5 };
  const running = runWebhooks({ catalog, sender, observer, ...quick, ...options }, stop.signal);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      sender[Symbol.dispose]();
    },
  };
}

const create = async (url: string, selection: Partial<WebhookSelection> = {}): Promise<string> => {
  const id = Bun.randomUUIDv7();
  const all: Omit<CreateWebhook, "type" | "id" | "url"> = {
    types: null,
    albums: "*",
    description: null,
    secret: newWebhookSecret(),
    from: null,
  };
  await catalog.write({ type: "createWebhook", id, url, ...all, ...selection });
  return id;
};

let names = 0;
async function createAlbum(name = `album ${names++}`): Promise<string> {
  const id = Bun.randomUUIDv7();
  await catalog.write({ type: "createAlbum", id, name, fields: EMPTY_ALBUM_FIELDS });
  return id;
}
const rename = (albumId: string, name = `album ${names++}`) =>
  catalog.write({ type: "updateAlbum", albumId, patch: { name } });

const stateOf = async (id: string) => {
  const found = await catalog.webhook(id);
  if (found === undefined) throw new Error("There is no such webhook.");
  return found;
};
const caughtUp = async (id: string) => {
  const { delivery } = await stateOf(id);
  return delivery.lagEvents === 0 && delivery.blockedAlbums === 0;
};

const IN_TEN_YEARS_MS = 10 * 365 * 24 * 3600 * 1000;
const ahead = () => Date.now() + IN_TEN_YEARS_MS;
const hourly = () => 3_600_000;

const ofRecords = async () => (await catalog.events({ visibility: "all", limit: 100_000 })).events.map(({ id }) => id);

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
    const { items } = await catalog.webhookDeliveries({ webhookId: id, limit: 10 });
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
    await catalog.write({ type: "updateWebhook", id, patch: { url: other.url } });
    const moved = await createAlbum();
    await until(() => other.events.some(({ partitionkey }) => partitionkey === moved));
    await catalog.write({ type: "updateWebhook", id, patch: { paused: true } });
    const before = await createAlbum();
    await catalog.write({ type: "updateWebhook", id, patch: { paused: false } });
    await until(() => other.events.some(({ partitionkey }) => partitionkey === before));
    await catalog.write({ type: "deleteWebhook", id });
    await using third = startReceiver();
    const last = await create(third.url, { types: ["imagestore.album.deleted"] });
    const album = await createAlbum();
    await catalog.write({ type: "deleteAlbum", albumId: album, recursive: false });
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
    await catalog.write({ type: "updateWebhook", id, patch: { types: ["imagestore.album.updated"] } });
    await rename(album);
    await until(() => receiver.events.some(({ type }) => type === "imagestore.album.updated"));
  });

  test("end a replay of whose range the log has nothing more", async () => {
    await using receiver = startReceiver();
    const id = await create(receiver.url);
    await createAlbum();
    const { lastSequence } = await catalog.log();
    {
      using db = openDatabaseFile(join(folder, "catalog.sqlite"));
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
    const updates = (await catalog.events({ visibility: "all", limit: 10 })).events.slice(1);
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
    await catalog.write({ type: "updateWebhook", id, patch: { disabled: null } });
    await until(() => caughtUp(id));
    expect(receiver.events.map((event) => event.id)).toEqual(await ofRecords());
    expect(disabled).toEqual([[id, "gone"]]);
  });

  test("send a range again, beside the events that come", async () => {
    await using receiver = startReceiver();
    const id = await create(receiver.url);
    await using _ = deliver();
    const { epoch, lastSequence } = await catalog.log();
    const albums = await Promise.all(Array.from({ length: 5 }, () => createAlbum()));
    await until(() => caughtUp(id));
    const to = { epoch, seq: lastSequence + 3 };
    await catalog.write({ type: "replayWebhook", id, from: { epoch, seq: lastSequence }, to });
    await until(() => receiver.duplicates === 3);
    await rename(albums[0] ?? "");
    await until(async () => (await caughtUp(id)) && (await stateOf(id)).delivery.replay === null);
    expect({ events: receiver.events.length, duplicates: receiver.duplicates }).toEqual({ events: 6, duplicates: 3 });
    await catalog.write({ type: "replayWebhook", id, from: { epoch, seq: lastSequence }, to: null });
    await until(() => receiver.duplicates === 9);
    await until(() => caughtUp(id));
    expect(receiver.events.length).toBe(6);
  });
});

/** A catalog whose reads of the log for all webhooks the test sees, and may delay. They alone say which albums they leave out. */
function watchReads(
  onRead: (query: EventQuery, batch: EventBatch) => void | Promise<void>,
  onBegin: () => void = () => {},
): Catalog {
  const events: Catalog["events"] = async (query) => {
    if ("exceptAlbums" in query) onBegin();
    const batch = await catalog.events(query);
    if ("exceptAlbums" in query) await onRead(query, batch);
    return batch;
  };
  return Object.assign(Object.create(catalog), { events }) as Catalog;
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
    return (await catalog.webhookDeliveries({ webhookId: id, limit: 1 })).items.length > 0;
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
  await catalog.write({ type: "deleteWebhook", id });
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
    const { lastSequence } = await catalog.log();
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
    await until(() => receiver.events.length === 41);
    released.resolve();
    await untilLater(() => receiver.events.length === 42);
    expect({ outOfOrder: receiver.outOfOrder(), duplicates: receiver.duplicates }).toEqual({
      outOfOrder: 0,
      duplicates: 0,
    });
  });
});

describe("a restart", () => {
  test("goes on where the last run saved, and sends again what was not saved", async () => {
    await using receiver = startReceiver();
    const id = await create(receiver.url);
    const album = await createAlbum();
    {
      const write: Catalog["write"] = (change) =>
        change.type === "saveDeliveries"
          ? Promise.reject(new StoreError("unavailable", "The catalog is away."))
          : catalog.write(change);
      await using _ = deliver({ catalog: Object.assign(Object.create(catalog), { write }) as Catalog });
      await until(() => receiver.events.length === 1);
    }
    await rename(album);
    await using _ = deliver();
    await until(() => caughtUp(id));
    expect({ events: receiver.events.length, duplicates: receiver.duplicates }).toEqual({ events: 2, duplicates: 1 });
  });

  test("after a clean stop sends nothing twice", async () => {
    await using receiver = startReceiver();
    const id = await create(receiver.url);
    const album = await createAlbum();
    for (let round = 0; round < 10; round++) {
      await using _ = deliver();
      await rename(album);
      await until(() => receiver.events.length === round + 2);
    }
    await using _ = deliver();
    await until(() => caughtUp(id));
    expect({ events: receiver.events.length, duplicates: receiver.duplicates }).toEqual({ events: 11, duplicates: 0 });
  });

  test("keeps albums blocked whose event failed", async () => {
    let status = 500;
    await using receiver = startReceiver(() => new Response(null, { status }));
    const id = await create(receiver.url);
    const album = await createAlbum();
    await rename(album);
    {
      await using _ = deliver({ retryDelay: () => 60_000 });
      await until(async () => (await stateOf(id)).delivery.blockedAlbums === 1);
    }
    const { requests } = receiver;
    status = 204;
    await using _ = deliver();
    const other = await createAlbum();
    await until(() => receiver.events.some(({ partitionkey }) => partitionkey === other));
    expect({ requests: receiver.requests, events: receiver.events.length }).toEqual({
      requests: requests + 1,
      events: 1,
    });
    expect((await stateOf(id)).delivery.blockedAlbums).toBe(1);
  });
});

test("nothing is sent while the catalog takes no saves, nor after the lease is lost", async () => {
  await using receiver = startReceiver();
  const id = await create(receiver.url);
  let available = false;
  let held = true;
  const write: Catalog["write"] = (change) =>
    change.type === "saveDeliveries" && !available
      ? Promise.reject(new StoreError("unavailable", "The catalog is away."))
      : catalog.write(change);
  await using _ = deliver({
    catalog: Object.assign(Object.create(catalog), { write }) as Catalog,
    isHeld: () => held,
  });
  await createAlbum();
  await until(() => receiver.events.length === 1);
  let saves = 0;
  await createAlbum();
  await until(() => ++saves > 20);
  const sentAtMost = receiver.events.length;
  expect(sentAtMost).toBeLessThanOrEqual(2);
  available = true;
  await until(() => caughtUp(id));
  expect(receiver.events.length).toBe(2);
  held = false;
  await createAlbum();
  await until(async () => (await catalog.log()).lastSequence > 3);
  await Bun.sleep(50);
  expect(receiver.events.length).toBe(2);
});
