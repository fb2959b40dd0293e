import { compatibilityPartitioner, findErrorBy, Producer } from "@platformatic/kafka";
import { StoreError } from "../../domain/errors.ts";
import type { SerializedCloudEvent } from "../../domain/event.ts";
import type { Publisher } from "../../ports.ts";
import { type ConnectionSettings, connectionOptions, explain, withDeadline } from "./connection.ts";
import { batches, type ContentMode, type EventMessage, toMessage, truncateEvent } from "./messages.ts";
import { createOffsetCheck, type OffsetCheck } from "./offsets.ts";
import { requireTopic } from "./topic.ts";

export interface KafkaOptions extends ConnectionSettings {
  readonly topic: string;
  readonly mode: ContentMode;
}

/** A broker's default limit is 1 MiB a batch. */
const MAX_BATCH_BYTES = 512 * 1024;
/** For one batch, in milliseconds: outside all timeouts of the client, so that nothing can hang for ever. */
const SEND_DEADLINE = 30_000;
const CLOSE_DEADLINE = 2000;

interface Session {
  readonly producer: Producer;
  readonly offsets: OffsetCheck;
}

/**
 * Copies events to an Apache Kafka topic: idempotent, acknowledged by all replicas, one batch in flight. Whatever goes
 * wrong ends the session, and the next call begins a new one: the client is not trusted to recover by itself (a response
 * that comes after its request timed out leaves it out of step with the connection).
 */
export function createKafkaPublisher(options: KafkaOptions): Publisher {
  const { topic, mode } = options;
  let session: Session | undefined;
  let queue: Promise<void> = Promise.resolve();
  let closed = false;

  const open = async (): Promise<Session> => {
    const connection = await connectionOptions(options);
    const producer = new Producer({ ...connection, idempotent: true });
    session = { producer, offsets: createOffsetCheck() };
    await requireTopic(producer, connection, topic);
    return session;
  };

  const close = async (): Promise<void> => {
    const producer = session?.producer;
    session = undefined;
    if (producer !== undefined) await withDeadline(producer.close(true), CLOSE_DEADLINE).catch(() => {});
  };

  const send = async ({ producer, offsets }: Session, messages: readonly EventMessage[]): Promise<void> => {
    const metadata = await producer.metadata({ topics: [topic] });
    const partitions = metadata.topics.get(topic)?.partitionsCount;
    if (partitions === undefined) throw new Error(`There is no metadata of the topic ${topic}.`);
    // Kafka's own choice, so that other programs that write or read by key find the same partition.
    // Without a timestamp: with the event's own, a topic that keeps a week would drop at once what is older than that.
    const records = messages.map(({ key, value, headers }) => {
      const record = { topic, key, value, headers };
      return { ...record, partition: compatibilityPartitioner(record, key) % partitions };
    });
    const result = await producer.send({ messages: records });
    offsets.check(records, result.offsets ?? []);
  };

  const sendOrSplit = async (current: Session, messages: readonly EventMessage[]): Promise<void> => {
    try {
      await withDeadline(send(current, messages), SEND_DEADLINE);
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      const [first] = messages;
      if (first === undefined) throw error;
      if (messages.length > 1) {
        const middle = Math.ceil(messages.length / 2);
        await sendOrSplit(current, messages.slice(0, middle));
        await sendOrSplit(current, messages.slice(middle));
      } else {
        const truncated = toMessage(truncateEvent(first.event), mode);
        await withDeadline(send(current, [truncated]), SEND_DEADLINE);
      }
    }
  };

  const publish = async (events: readonly SerializedCloudEvent[]): Promise<void> => {
    if (closed) throw new StoreError("unavailable", "The publisher is closed.");
    const messages = events.map((event) => toMessage(event, mode));
    try {
      for (const batch of batches(messages, MAX_BATCH_BYTES)) {
        const current = session ?? (await withDeadline(open(), SEND_DEADLINE));
        await sendOrSplit(current, batch);
      }
    } catch (cause) {
      await close();
      throw new StoreError("unavailable", `Kafka did not take the events for ${topic}: ${explain(cause)}`, { cause });
    }
  };

  return {
    topic,
    publish(events) {
      // One after another: concurrent sends once got one offset for twenty messages (platformatic/kafka#326).
      const published = queue.then(() => publish(events));
      queue = published.catch(() => {});
      return published;
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      await close();
    },
  };
}

const isTooLarge = (error: unknown): boolean =>
  error instanceof Error &&
  (findErrorBy(error, "apiId", "MESSAGE_TOO_LARGE") ?? findErrorBy(error, "apiId", "RECORD_LIST_TOO_LARGE")) !== null;
