import { describe, expect, test } from "bun:test";
import { StoreError } from "../../../src/domain/errors.ts";
import type { Catalog } from "../../../src/ports.ts";
import { until } from "../../waiting.ts";
import { useDeliveredCatalog } from "./delivered-catalog.ts";
import { startReceiver } from "./receiver.ts";

const { catalog, deliver, create, createAlbum, rename, stateOf, caughtUp } = useDeliveredCatalog();

describe("a restart", () => {
  test("goes on where the last run saved, and sends again what was not saved", async () => {
    await using receiver = startReceiver();
    const id = await create(receiver.url);
    const album = await createAlbum();
    {
      const write: Catalog["write"] = (change) =>
        change.type === "saveDeliveries"
          ? Promise.reject(new StoreError("unavailable", "The catalog is away."))
          : catalog().write(change);
      await using _ = deliver({ catalog: Object.assign(Object.create(catalog()), { write }) as Catalog });
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
      : catalog().write(change);
  await using _ = deliver({
    catalog: Object.assign(Object.create(catalog()), { write }) as Catalog,
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
  await until(async () => (await catalog().log()).lastSequence > 3);
  await Bun.sleep(50);
  expect(receiver.events.length).toBe(2);
});
