import { Admin, type BaseOptions, type Producer } from "@platformatic/kafka";
import { explain } from "./connection.ts";

/** Albums are spread over them; more later would move albums to other partitions, so not too few. */
const PARTITIONS = 6;

/**
 * Makes the topic where there is none, with the broker's replication.
 * @throws Error when there is none and the broker does not let us
 */
export async function requireTopic(producer: Producer, connection: BaseOptions, topic: string): Promise<void> {
  try {
    await producer.metadata({ topics: [topic] });
  } catch (error) {
    if (!isUnknownTopic(error)) throw error;
    await createTopic(connection, topic);
    await producer.metadata({ topics: [topic], retries: 10 });
  }
}

async function createTopic(connection: BaseOptions, topic: string): Promise<void> {
  const admin = new Admin(connection);
  try {
    await admin.createTopics({ topics: [topic], partitions: PARTITIONS });
  } catch (cause) {
    throw new Error(
      `The topic does not exist and could not be created (${explain(cause)}). Create it, or allow its creation.`,
      { cause },
    );
  } finally {
    await admin.close();
  }
}

/** The client makes a `UserError` of the protocol's code and drops the code. */
const isUnknownTopic = (error: unknown): boolean => error instanceof Error && error.message.startsWith("Unknown topic");
