import type { CloudEventAttributes, SerializedCloudEvent } from "../../domain/event.ts";
import { cloudEventJson } from "../../domain/event.ts";

/** As Kafka's protocol has it. */
export interface EventMessage {
  readonly event: SerializedCloudEvent;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: Map<Buffer, Buffer>;
  /** On the wire, roughly: what a batch's limit is counted in. */
  readonly bytes: number;
}

/** The two content modes of the CloudEvents binding for Kafka. */
export type ContentMode = "binary" | "structured";

/** Keyed by `partitionkey`, which keeps the order of an album; the value is never null, which would be a tombstone. */
export function toMessage(event: SerializedCloudEvent, mode: ContentMode): EventMessage {
  const key = Buffer.from(event.attributes.partitionkey);
  const value = Buffer.from(mode === "binary" ? event.data : cloudEventJson(event));
  const headers = mode === "binary" ? binaryHeaders(event.attributes) : STRUCTURED_HEADERS;
  let bytes = RECORD_OVERHEAD + key.length + value.length;
  for (const [name, text] of headers) bytes += name.length + text.length + HEADER_OVERHEAD;
  return { event, key, value, headers, bytes };
}

/** The event without what makes it large, and saying so: a broker that refuses the whole must not halt all that follow. */
export function truncateEvent({ attributes, data }: SerializedCloudEvent): SerializedCloudEvent {
  const { metadata: _, ...rest } = JSON.parse(data) as Record<string, unknown>;
  return { attributes, data: JSON.stringify({ ...rest, truncated: true }) };
}

/** Consecutive runs of at most `maxBytes`; a larger message is a batch of its own. */
export function* batches(messages: readonly EventMessage[], maxBytes: number): Generator<readonly EventMessage[]> {
  let start = 0;
  let bytes = 0;
  for (const [index, message] of messages.entries()) {
    if (index > start && bytes + message.bytes > maxBytes) {
      yield messages.slice(start, index);
      start = index;
      bytes = 0;
    }
    bytes += message.bytes;
  }
  if (start < messages.length) yield messages.slice(start);
}

const RECORD_OVERHEAD = 24;
const HEADER_OVERHEAD = 4;

const CONTENT_TYPE = Buffer.from("content-type");
const STRUCTURED_HEADERS = new Map<Buffer, Buffer>([
  [CONTENT_TYPE, Buffer.from("application/cloudevents+json; charset=UTF-8")],
]);

/** Names and the few values that repeat are encoded once. */
const known = new Map<string, Buffer>();
const encodeOnce = (text: string): Buffer => {
  let buffer = known.get(text);
  if (buffer === undefined) {
    buffer = Buffer.from(text);
    known.set(text, buffer);
  }
  return buffer;
};

function binaryHeaders({ datacontenttype, ...attributes }: CloudEventAttributes): Map<Buffer, Buffer> {
  const headers = new Map<Buffer, Buffer>([[CONTENT_TYPE, encodeOnce(datacontenttype)]]);
  for (const [name, value] of Object.entries(attributes)) {
    const repeats = name === "specversion" || name === "source" || name === "type";
    headers.set(encodeOnce(`ce_${name}`), repeats ? encodeOnce(value) : Buffer.from(value));
  }
  return headers;
}
