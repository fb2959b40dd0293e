import { Consumer, ListOffsetTimestamps, MessagesStreamModes } from "@platformatic/kafka";
import { createAdmin } from "../test/services/kafka-broker.ts";
import { now } from "./clock.ts";

/** As many as the store gives a topic that it makes itself. */
export const PARTITIONS = 6;

export interface TopicWatch extends AsyncDisposable {
  /** Number of acknowledged messages so far. */
  count(): Promise<number>;
}

export function watchTopic(address: string, topic: string): TopicWatch {
  const admin = createAdmin(address);
  const partitions = Array.from({ length: PARTITIONS }, (_, partitionIndex) => ({
    partitionIndex,
    timestamp: ListOffsetTimestamps.LATEST,
  }));
  return {
    async count() {
      const listed = await admin.listOffsets({ topics: [{ name: topic, partitions }] });
      return listed.flatMap((one) => one.partitions).reduce((sum, { offset }) => sum + Number(offset), 0);
    },
    async [Symbol.asyncDispose]() {
      await admin.close();
    },
  };
}

/**
 * Messages per second, from the arrival of the first to the arrival of the last, while the sender runs. Polling offsets
 * costs the broker little, while a consumer would take processor time from both sides.
 */
export async function fillingRate(watch: TopicWatch, messages: number): Promise<number> {
  const deadline = performance.now() + 120_000;
  let first: { readonly count: number; readonly at: number } | undefined;
  for (;;) {
    const count = await watch.count();
    const at = performance.now();
    if (first === undefined && count > 0) first = { count, at };
    if (count >= messages && first !== undefined) return ((count - first.count) * 1000) / (at - first.at);
    if (at > deadline) throw new Error(`Of ${messages} messages only ${count} came.`);
    await Bun.sleep(10);
  }
}

/** Of each message of the topic, old ones first: from its event's `time` until it was here, in milliseconds. */
export async function followTopic(
  address: string,
  topic: string,
): Promise<{ readonly delays: readonly number[] } & AsyncDisposable> {
  const groupId = `bench-${crypto.randomUUID()}`;
  const consumer = new Consumer({ clientId: "image-store-bench", groupId, bootstrapBrokers: [address] });
  const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST, autocommit: false });
  const delays: number[] = [];
  stream.on("data", ({ headers }) => delays.push(now() - Date.parse(headerOf(headers, "ce_time"))));
  return {
    delays,
    async [Symbol.asyncDispose]() {
      await consumer.close(true);
    },
  };
}

const headerOf = (headers: ReadonlyMap<Buffer, Buffer>, name: string): string =>
  String([...headers].find(([key]) => key.toString() === name)?.[1]);
