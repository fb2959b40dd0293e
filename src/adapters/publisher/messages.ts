import type { CloudEventAttributes, SerializedCloudEvent } from "../../domain/event.ts";
import { cloudEventJson } from "../../domain/event.ts";

/** An event as a Kafka record. */
export interface EventMessage {
  readonly event: SerializedCloudEvent;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: Map<Buffer, Buffer>;
  /** Upper bound of its size on the wire. */
  readonly bytes: number;
}

/** The two content modes of the CloudEvents binding for Kafka. */
export type ContentMode = "binary" | "structured";

/** The key is `partitionkey`, which keeps the events of an album in order. The value is never null: that would be a tombstone. */
export function toMessage(event: SerializedCloudEvent, mode: ContentMode): EventMessage {
  const key = Buffer.from(event.attributes.partitionkey);
  const value = Buffer.from(mode === "binary" ? event.data : cloudEventJson(event));
  const headers = mode === "binary" ? binaryHeaders(event.attributes, key) : STRUCTURED_HEADERS;
  return { event, key, value, headers, bytes: key.length + value.length + OVERHEAD };
}

/** Members of `data` that identify the record, its bytes and the actor, at most about 450 bytes. */
const IDENTIFYING = ["id", "albumId", "sha256", "revision", "reason", "actor"];

/**
 * Smaller forms of the event, marked `truncated`, so an event that a broker refuses does not block those after it: first without
 * metadata, then with {@link IDENTIFYING} only.
 */
export function truncations({ attributes, data }: SerializedCloudEvent): readonly SerializedCloudEvent[] {
  const { metadata: _, ...rest } = JSON.parse(data) as Record<string, unknown>;
  const identifying = Object.entries(rest).filter(([name]) => IDENTIFYING.includes(name));
  return [rest, Object.fromEntries(identifying)].map((kept) => ({
    attributes,
    data: JSON.stringify({ ...kept, truncated: true }),
  }));
}

/** Splits messages into batches of at most `maxBytes`, lazily. A larger message is a batch of its own. */
export function* batches(messages: Iterable<EventMessage>, maxBytes: number): Generator<readonly EventMessage[]> {
  let batch: EventMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    if (batch.length > 0 && bytes + message.bytes > maxBytes) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(message);
    bytes += message.bytes;
  }
  if (batch.length > 0) yield batch;
}

/** Upper bound of a record's size beside key and value. No header contains text of users. */
const OVERHEAD = 512;

const CONTENT_TYPE = Buffer.from("content-type");
const STRUCTURED_HEADERS = new Map<Buffer, Buffer>([
  [CONTENT_TYPE, Buffer.from("application/cloudevents+json; charset=UTF-8")],
]);

const PARTITION_KEY = Buffer.from("ce_partitionkey");

/** Names and repeating values are encoded once. */
const BINARY_HEADERS = [
  { attribute: "specversion", name: Buffer.from("ce_specversion"), repeats: true },
  { attribute: "id", name: Buffer.from("ce_id"), repeats: false },
  { attribute: "source", name: Buffer.from("ce_source"), repeats: true },
  { attribute: "type", name: Buffer.from("ce_type"), repeats: true },
  { attribute: "subject", name: Buffer.from("ce_subject"), repeats: false },
  { attribute: "time", name: Buffer.from("ce_time"), repeats: false },
  { attribute: "datacontenttype", name: CONTENT_TYPE, repeats: true },
  { attribute: "sequence", name: Buffer.from("ce_sequence"), repeats: false },
  { attribute: "traceparent", name: Buffer.from("ce_traceparent"), repeats: false },
] as const satisfies readonly { attribute: keyof CloudEventAttributes; name: Buffer; repeats: boolean }[];

const encoded = new Map<string, Buffer>();
function encodeOnce(text: string): Buffer {
  let buffer = encoded.get(text);
  if (buffer === undefined) {
    buffer = Buffer.from(text);
    encoded.set(text, buffer);
  }
  return buffer;
}

function binaryHeaders(attributes: CloudEventAttributes, key: Buffer): Map<Buffer, Buffer> {
  const headers = new Map([[PARTITION_KEY, key]]);
  for (const { attribute, name, repeats } of BINARY_HEADERS) {
    const value = attributes[attribute];
    if (value !== undefined) headers.set(name, repeats ? encodeOnce(value) : Buffer.from(value));
  }
  return headers;
}
