import { Admin, compatibilityPartitioner, findErrorBy, Producer } from "@platformatic/kafka";
import { type ConnectionSettings, connectionOptions, explain } from "./connection.ts";

export interface KafkaRecord {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: Map<Buffer, Buffer>;
}

/** The offset of the first record of a batch in one partition. */
export interface Acknowledgement {
  readonly partition: number;
  readonly offset: bigint;
}

/** The batch is larger than the broker accepts. */
export class BatchTooLarge extends Error {}

/** What the publisher needs of Kafka, for one topic. After any error but BatchTooLarge it must be closed. */
export interface KafkaClient {
  /** Connects, and creates the topic if it does not exist. */
  open(): Promise<void>;
  /** Returns the partition of each key, in the same order. */
  partitionsOf(keys: readonly Buffer[]): Promise<number[]>;
  /**
   * Sends each record to the partition at its index.
   * @throws BatchTooLarge if a partition's batch is too large; records of other partitions may have been written
   */
  send(records: readonly KafkaRecord[], partitions: readonly number[]): Promise<readonly Acknowledgement[]>;
  close(): Promise<void>;
}

/** Of a new topic. Adding partitions later moves albums to other partitions, so there are a few to begin with. */
const PARTITIONS = 6;

export function createKafkaClient(settings: ConnectionSettings, topic: string): KafkaClient {
  let producer: Producer | undefined;
  let closed = false;

  const connected = (): Producer => {
    if (producer === undefined || closed) throw new Error("The connection is closed.");
    return producer;
  };

  const createTopic = async (): Promise<void> => {
    const admin = new Admin(await connectionOptions(settings));
    try {
      await admin.createTopics({ topics: [topic], partitions: PARTITIONS });
    } catch (cause) {
      const message = `The topic does not exist and could not be created (${explain(cause)}). Create the topic, or allow the client to create it.`;
      throw new Error(message, { cause });
    } finally {
      await admin.close();
    }
  };

  return {
    async open() {
      producer = new Producer({ ...(await connectionOptions(settings)), idempotent: true });
      try {
        await connected().metadata({ topics: [topic] });
      } catch (error) {
        if (!isUnknownTopic(error)) throw error;
        await createTopic();
        await connected().metadata({ topics: [topic], retries: 10 });
      }
    },
    async partitionsOf(keys) {
      // The library asks the broker once in a few seconds.
      const metadata = await connected().metadata({ topics: [topic] });
      const count = metadata.topics.get(topic)?.partitionsCount;
      if (count === undefined) throw new Error(`The broker returned no metadata for the topic ${topic}.`);
      // Kafka's default partitioner, so other programs find the same partition by key.
      return keys.map((key) => compatibilityPartitioner({ topic, key, value: key }, key) % count);
    },
    async send(records, partitions) {
      // No timestamp: with the event's time, a topic with a retention of a week would drop older events at once.
      const messages = records.map(({ key, value, headers }, index) => {
        return { topic, key, value, headers, partition: partitions[index] ?? 0 };
      });
      try {
        const { offsets } = await connected().send({ messages });
        return offsets ?? [];
      } catch (cause) {
        throw isTooLarge(cause) ? new BatchTooLarge(explain(cause), { cause }) : cause;
      }
    },
    async close() {
      closed = true;
      await producer?.close(true);
    },
  };
}

/** The library replaces the error of the protocol by a `UserError` without a code. */
const isUnknownTopic = (error: unknown): boolean => error instanceof Error && error.message.startsWith("Unknown topic");

const isTooLarge = (error: unknown): boolean =>
  error instanceof Error &&
  (findErrorBy(error, "apiId", "MESSAGE_TOO_LARGE") ?? findErrorBy(error, "apiId", "RECORD_LIST_TOO_LARGE")) !== null;
