import { type CloudEvent, cloudEventJson, type SerializedCloudEvent, toCloudEvent } from "../src/domain/event.ts";

/** A record as a consumer of Kafka sees it. */
export interface ConsumedRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: string;
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
      subject: null,
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
