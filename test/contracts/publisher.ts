import { expect, test } from "bun:test";
import { StoreError } from "../../src/domain/errors.ts";
import { type CloudEvent, cloudEventJson, type SerializedCloudEvent, toCloudEvent } from "../../src/domain/event.ts";
import type { Publisher } from "../../src/ports.ts";

/** A record as a consumer of Kafka sees it. */
export interface ConsumedRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: string;
}

export interface PublisherUnderTest extends AsyncDisposable {
  readonly publisher: Publisher;
  /** Everything in the topic, each partition in its order. */
  consume(): Promise<ConsumedRecord[]>;
}

let made = 0;

export function makeEvent(albumId: string, fields: Record<string, unknown> = {}): SerializedCloudEvent {
  made++;
  const data = {
    id: albumId,
    name: `Straße ${made} 🏔`,
    metadata: { 'quote"d': "line\nbreak" },
    reason: "user",
    ...fields,
  };
  return toCloudEvent(
    {
      seq: made,
      id: Bun.randomUUIDv7(),
      type: "imagestore.album.updated",
      albumId,
      imageId: null,
      time: 1_784_000_000_000 + made,
      traceparent: made % 2 === 0 ? null : "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      data: JSON.stringify(data),
    },
    { storeId: "0192e49f-0000-7000-8000-00000000beef", epoch: 29_500_321 },
  );
}

/** As the CloudEvents binding for Kafka has it, in either mode. */
export function decodeRecord({ headers, value }: ConsumedRecord): CloudEvent {
  const contentType = headers["content-type"];
  if (contentType?.startsWith("application/cloudevents+json")) return JSON.parse(value) as CloudEvent;
  const attributes = Object.entries(headers).filter(([name]) => name.startsWith("ce_"));
  return {
    ...Object.fromEntries(attributes.map(([name, text]) => [name.slice(3), text])),
    datacontenttype: contentType,
    data: JSON.parse(value) as unknown,
  } as CloudEvent;
}

/** What an event is after the wire, whatever the order of its members. */
export const asReceived = (event: SerializedCloudEvent): CloudEvent => JSON.parse(cloudEventJson(event)) as CloudEvent;

const albumIds = ["album-a", "album-b", "album-c"];
const eventsOf = (count: number) =>
  Array.from({ length: count }, (_, index) => makeEvent(albumIds[index % albumIds.length] ?? ""));

/** What every Publisher does. `open` makes a publisher with a topic of its own. */
export function publisherContract(open: () => Promise<PublisherUnderTest>): void {
  test("events arrive whole, under their key", async () => {
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

  test("keeps the order of an album through a large batch and those after it", async () => {
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

  test("concurrent calls are each delivered, at an offset of their own", async () => {
    await using under = await open();
    const events = eventsOf(20);
    await Promise.all(events.map((event) => under.publisher.publish([event])));
    const received = await under.consume();
    const places = new Set(received.map(({ partition, offset }) => `${partition}:${offset}`));
    expect([received.length, places.size]).toEqual([20, 20]);
    const ids = received.map((record) => decodeRecord(record).id).sort();
    expect(ids).toEqual(events.map(({ attributes }) => attributes.id).sort());
  });

  test("nothing to send is nothing to wait for", async () => {
    await using under = await open();
    await under.publisher.publish([]);
    await under.publisher.publish(eventsOf(1));
    expect((await under.consume()).length).toBe(1);
  });

  test("refuses once it is closed", async () => {
    await using under = await open();
    await under.publisher.publish(eventsOf(1));
    await under.publisher[Symbol.asyncDispose]();
    const refused = await under.publisher.publish(eventsOf(1)).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StoreError);
    expect((refused as StoreError).code).toBe("unavailable");
  });
}
