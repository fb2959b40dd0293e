import { expect, test } from "bun:test";
import { StoreError } from "../../src/domain/errors.ts";
import type { Publisher } from "../../src/ports.ts";
import { asReceived, type ConsumedRecord, decodeRecord, makeEvent } from "../cloud-events.ts";

export interface PublisherUnderTest extends AsyncDisposable {
  readonly publisher: Publisher;
  /** Everything in the topic, each partition in its order. */
  consume(): Promise<ConsumedRecord[]>;
}

const albumIds = ["album-a", "album-b", "album-c"];
const eventsOf = (count: number) =>
  Array.from({ length: count }, (_, index) => makeEvent(albumIds[index % albumIds.length] ?? ""));

/** What every Publisher does. `open` makes a publisher with a topic of its own. */
export function publisherContract(open: () => Promise<PublisherUnderTest>): void {
  test("events arrive whole with their key", async () => {
    await using under = await open();
    const events = eventsOf(5);
    await under.publisher.publish(events);
    const received = await under.consume();
    const byId = new Map(received.map((record) => [decodeRecord(record).id, record]));
    for (const event of events) {
      const record = byId.get(event.attributes.id);
      expect(record?.key).toBe(event.attributes.partitionkey);
      expect(record && decodeRecord(record)).toEqual(asReceived(event));
    }
    expect(received.length).toBe(events.length);
  });

  test("events of an album keep their order across batches", async () => {
    await using under = await open();
    const events = eventsOf(2500);
    await under.publisher.publish(events.slice(0, 2000));
    await under.publisher.publish(events.slice(2000, 2001));
    await under.publisher.publish(events.slice(2001));
    const received = (await under.consume()).map(decodeRecord);
    for (const albumId of albumIds) {
      const order = received.filter((event) => event.partitionkey === albumId).map((event) => event.sequence);
      const sent = events.filter(({ attributes }) => attributes.partitionkey === albumId);
      expect(order).toEqual(sent.map(({ attributes }) => attributes.sequence));
    }
  });

  test("concurrent calls are each delivered with an offset of their own", async () => {
    await using under = await open();
    const events = eventsOf(20);
    await Promise.all(events.map((event) => under.publisher.publish([event])));
    const received = await under.consume();
    const places = new Set(received.map(({ partition, offset }) => `${partition}:${offset}`));
    expect([received.length, places.size]).toEqual([20, 20]);
    const ids = received.map((record) => decodeRecord(record).id).sort();
    expect(ids).toEqual(events.map(({ attributes }) => attributes.id).sort());
  });

  test("publishing nothing resolves at once", async () => {
    await using under = await open();
    await under.publisher.publish([]);
    await under.publisher.publish(eventsOf(1));
    expect((await under.consume()).length).toBe(1);
  });

  test("publishing after close is refused", async () => {
    await using under = await open();
    await under.publisher.publish(eventsOf(1));
    await under.publisher[Symbol.asyncDispose]();
    const refused = await under.publisher.publish(eventsOf(1)).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StoreError);
    expect((refused as StoreError).code).toBe("unavailable");
  });
}
