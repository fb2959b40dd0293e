import { setImmediate } from "node:timers/promises";
import { StoreError } from "../../domain/errors.ts";
import type { SerializedCloudEvent } from "../../domain/event.ts";
import type { Publisher } from "../../ports.ts";
import { BatchTooLarge, createKafkaClient, type KafkaClient } from "./client.ts";
import { type ConnectionSettings, explain } from "./connection.ts";
import { batches, type ContentMode, type EventMessage, toMessage, truncateEvent } from "./messages.ts";
import { createOffsetCheck, type OffsetCheck } from "./offsets.ts";

export interface KafkaOptions extends ConnectionSettings {
  readonly topic: string;
  readonly mode: ContentMode;
}

export interface KafkaPublisherParts {
  readonly createClient?: (settings: ConnectionSettings, topic: string) => KafkaClient;
  /** For connecting, and for each batch, in milliseconds: outside all timeouts of the client, so that nothing hangs. */
  readonly deadline?: number;
}

/** A broker's limit is 1 MiB a batch unless it says otherwise. */
const MAX_BATCH_BYTES = 512 * 1024;
const CLOSE_DEADLINE = 2000;

interface Session {
  readonly client: KafkaClient;
  readonly offsets: OffsetCheck;
}

/**
 * Copies events to an Apache Kafka topic: idempotent, acknowledged by all replicas, one batch in flight. Whatever goes
 * wrong ends the session and the next call begins a new one; the library is not asked to recover by itself (an answer
 * that comes after its request timed out leaves it out of step with the connection).
 */
export function createKafkaPublisher(options: KafkaOptions, parts: KafkaPublisherParts = {}): Publisher {
  const { topic, mode } = options;
  const { createClient = createKafkaClient, deadline = 30_000 } = parts;
  let session: Session | undefined;
  let queue: Promise<void> = Promise.resolve();
  let closed = false;

  const openSession = async (): Promise<Session> => {
    if (closed) throw new Error("The publisher is closed.");
    session = { client: createClient(options, topic), offsets: createOffsetCheck() };
    await withDeadline(session.client.open(), deadline);
    return session;
  };

  const closeSession = async (): Promise<void> => {
    const client = session?.client;
    session = undefined;
    if (client !== undefined) await withDeadline(client.close(), CLOSE_DEADLINE).catch(() => undefined);
  };

  const send = async ({ client, offsets }: Session, messages: readonly EventMessage[]): Promise<void> => {
    const partitions = await client.partitionsOf(messages.map(({ key }) => key));
    offsets.check(partitions, await client.send(messages, partitions));
  };

  const sendOrSplit = async (current: Session, messages: readonly EventMessage[]): Promise<void> => {
    try {
      await withDeadline(send(current, messages), deadline);
    } catch (error) {
      if (!(error instanceof BatchTooLarge)) throw error;
      const [only] = messages;
      if (only !== undefined && messages.length === 1) {
        const truncated = toMessage(truncateEvent(only.event), mode);
        await withDeadline(send(current, [truncated]), deadline);
      } else {
        const middle = Math.ceil(messages.length / 2);
        await sendOrSplit(current, messages.slice(0, middle));
        await sendOrSplit(current, messages.slice(middle));
      }
    }
  };

  const publish = async (events: readonly SerializedCloudEvent[]): Promise<void> => {
    try {
      const messages = events.values().map((event) => toMessage(event, mode));
      const waiting = batches(messages, MAX_BATCH_BYTES);
      for (let next = waiting.next(); !next.done; ) {
        const sending = sendOrSplit(session ?? (await openSession()), next.value);
        sending.catch(() => undefined);
        // The next batch is made while the broker is busy with this one, which must be on its way first.
        await setImmediate();
        next = waiting.next();
        await sending;
      }
    } catch (cause) {
      await closeSession();
      throw new StoreError("unavailable", `Kafka did not take the events for ${topic}: ${explain(cause)}`, { cause });
    }
  };

  return {
    topic,
    publish(events) {
      // One after another: concurrent sends once got one offset for twenty messages (platformatic/kafka#326).
      const published = queue.then(() => publish(events));
      queue = published.catch(() => undefined);
      return published;
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      await closeSession();
    },
  };
}

/** What `promise` does after the deadline is nobody's concern any more. */
async function withDeadline<Value>(promise: Promise<Value>, milliseconds: number): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`No answer within ${milliseconds} ms.`)), milliseconds);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
