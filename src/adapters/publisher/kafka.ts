import { setImmediate } from "node:timers/promises";
import { within } from "../../concurrency/timeout.ts";
import { StoreError } from "../../domain/errors.ts";
import type { RefusedEvent, SerializedCloudEvent } from "../../domain/event.ts";
import type { Publisher } from "../../ports.ts";
import { BatchTooLarge, createKafkaClient, type KafkaClient } from "./client.ts";
import { type ConnectionSettings, explain } from "./connection.ts";
import { batches, type ContentMode, type EventMessage, toMessage, truncations } from "./messages.ts";
import { createOffsetCheck, type OffsetCheck } from "./offsets.ts";

export interface KafkaOptions extends ConnectionSettings {
  readonly topic: string;
  readonly mode: ContentMode;
}

export interface KafkaPublisherParts {
  readonly createClient?: (settings: ConnectionSettings, topic: string) => KafkaClient;
  /** Time limit of a connect and of a batch, in milliseconds. Longer than every timeout of the client. */
  readonly deadline?: number;
}

/** By default a broker accepts batches of up to 1 MiB. */
const MAX_BATCH_BYTES = 512 * 1024;
const CLOSE_DEADLINE = 2000;

interface Session {
  readonly client: KafkaClient;
  readonly offsets: OffsetCheck;
}

/**
 * Copies events to an Apache Kafka topic: idempotent, acknowledged by all in-sync replicas, one batch in flight. An error ends the
 * session, and the next call begins a new one. The library's own recovery is not used: a response after its request timed out
 * would be taken for that of a later request.
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
    await within(deadline, session.client.open());
    return session;
  };

  const closeSession = async (): Promise<void> => {
    const client = session?.client;
    session = undefined;
    if (client !== undefined) await within(CLOSE_DEADLINE, client.close()).catch(() => undefined);
  };

  const send = async ({ client, offsets }: Session, messages: readonly EventMessage[]): Promise<void> => {
    const partitions = await client.partitionsOf(messages.map(({ key }) => key));
    offsets.check(partitions, await client.send(messages, partitions));
  };

  /** Returns undefined, or the error if the batch is too large. */
  const sendUnlessTooLarge = async (current: Session, messages: readonly EventMessage[]) => {
    try {
      await within(deadline, send(current, messages));
      return undefined;
    } catch (error) {
      if (error instanceof BatchTooLarge) return error;
      throw error;
    }
  };

  /** Returns the events that are too large even when truncated. */
  const sendOrSplit = async (current: Session, messages: readonly EventMessage[]): Promise<RefusedEvent[]> => {
    let tooLarge = await sendUnlessTooLarge(current, messages);
    if (tooLarge === undefined) return [];
    const [only] = messages;
    if (only === undefined || messages.length > 1) {
      const middle = Math.ceil(messages.length / 2);
      const refused = await sendOrSplit(current, messages.slice(0, middle));
      return [...refused, ...(await sendOrSplit(current, messages.slice(middle)))];
    }
    for (const truncated of truncations(only.event)) {
      tooLarge = await sendUnlessTooLarge(current, [toMessage(truncated, mode)]);
      if (tooLarge === undefined) return [];
    }
    return [{ event: only.event, reason: tooLarge.message }];
  };

  const publish = async (events: readonly SerializedCloudEvent[]): Promise<readonly RefusedEvent[]> => {
    const refused: RefusedEvent[] = [];
    try {
      const messages = events.values().map((event) => toMessage(event, mode));
      const waiting = batches(messages, MAX_BATCH_BYTES);
      for (let next = waiting.next(); !next.done; ) {
        const sending = sendOrSplit(session ?? (await openSession()), next.value);
        sending.catch(() => undefined);
        // Sends this batch first, then prepares the next one while the broker is busy.
        await setImmediate();
        next = waiting.next();
        refused.push(...(await sending));
      }
      return refused;
    } catch (cause) {
      await closeSession();
      throw new StoreError("unavailable", `Kafka did not accept the events for ${topic}: ${explain(cause)}`, { cause });
    }
  };

  return {
    topic,
    publish(events, onRefused) {
      // One at a time: concurrent sends got one offset for twenty messages (platformatic/kafka#326).
      const published = queue.then(async () => (await publish(events)).forEach((refused) => onRefused?.(refused)));
      queue = published.catch(() => undefined);
      return published;
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      await closeSession();
    },
  };
}
