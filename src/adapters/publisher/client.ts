import { Admin, compatibilityPartitioner, findErrorBy, Producer } from "@platformatic/kafka";
import { type ConnectionSettings, connectionOptions, explain } from "./connection.ts";

export interface KafkaRecord {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: Map<Buffer, Buffer>;
}

/** What became of the records of one partition: the offset of the first. */
export interface Acknowledgement {
  readonly partition: number;
  readonly offset: bigint;
}

/** The broker takes no batch as large as this. */
export class BatchTooLarge extends Error {}

/** As much of Kafka as the publisher needs, for one topic. Once anything but BatchTooLarge was thrown it is to be closed. */
export interface KafkaClient {
  /** Connects, and makes the topic where there is none. */
  open(): Promise<void>;
  /** The partition of each key, in the same order. */
  partitionsOf(keys: readonly Buffer[]): Promise<number[]>;
  /**
   * Each record to the partition at its index.
   * @throws BatchTooLarge when a partition got more than the broker takes; other partitions' records may be there
   */
  send(records: readonly KafkaRecord[], partitions: readonly number[]): Promise<readonly Acknowledgement[]>;
  close(): Promise<void>;
}

/** Albums are spread over them. Adding some later moves albums to other partitions, so not too few. */
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
      const message = `The topic does not exist and could not be created (${explain(cause)}). Create it, or allow it.`;
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
      // Asks the broker once in a few seconds.
      const metadata = await connected().metadata({ topics: [topic] });
      const count = metadata.topics.get(topic)?.partitionsCount;
      if (count === undefined) throw new Error(`There is no metadata of the topic ${topic}.`);
      // Kafka's own choice, so that other programs that read or write by key find the same partition.
      return keys.map((key) => compatibilityPartitioner({ topic, key, value: key }, key) % count);
    },
    async send(records, partitions) {
      // Without a timestamp: with the event's own, a topic that keeps a week would drop at once what is older.
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

/** The library makes a `UserError` of the protocol's error and drops its code. */
const isUnknownTopic = (error: unknown): boolean => error instanceof Error && error.message.startsWith("Unknown topic");

const isTooLarge = (error: unknown): boolean =>
  error instanceof Error &&
  (findErrorBy(error, "apiId", "MESSAGE_TOO_LARGE") ?? findErrorBy(error, "apiId", "RECORD_LIST_TOO_LARGE")) !== null;
