import { type Admin, ListOffsetTimestamps } from "@platformatic/kafka";
import { within } from "../../src/concurrency/timeout.ts";
import type { ConsumedRecord } from "../cloud-events.ts";
import { PATIENCE_MS } from "../waiting.ts";
import { createAdmin } from "./kafka-broker.ts";
import { kafkaCommand } from "./kafka-jars.ts";
import { run } from "./run.ts";

const HEADER_END = "\u0001";

/**
 * Everything in the topic, each partition in its order, read by Kafka's own consumer: a client of ours on both ends would
 * agree with itself.
 */
export async function consumeTopic(address: string, topic: string): Promise<ConsumedRecord[]> {
  const count = await countRecords(address, topic);
  if (count === 0) return [];
  const shown = ["key", "headers", "partition", "offset"].map((part) => `print.${part}=true`);
  const properties = [...shown, `headers.separator=${HEADER_END}`, "key.separator=\t"];
  const consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
  const which = ["--bootstrap-server", address, "--topic", topic, "--from-beginning"];
  const until = ["--max-messages", String(count), "--timeout-ms", String(PATIENCE_MS)];
  const format = properties.flatMap((property) => ["--property", property]);
  const output = await run(await kafkaCommand(consumer, [...which, ...until, ...format]));
  const lines = output.split("\n").filter((line) => line !== "");
  if (lines.length !== count) throw new Error(`The topic has ${count} records, and ${lines.length} were read.`);
  return lines.map(parseLine);
}

/** By the ends of the partitions, so that the consumer need not wait whether more comes. */
export async function countRecords(address: string, topic: string): Promise<number> {
  const admin = createAdmin(address);
  try {
    return await within(PATIENCE_MS / 2, sumOfEnds(admin, topic));
  } finally {
    await within(PATIENCE_MS / 4, admin.close());
  }
}

async function sumOfEnds(admin: Admin, topic: string): Promise<number> {
  const { topics } = await admin.metadata({ topics: [topic] });
  const partitions = topics.get(topic)?.partitionsCount ?? 0;
  const ends = Array.from({ length: partitions }, (_, partitionIndex) => {
    return { partitionIndex, timestamp: ListOffsetTimestamps.LATEST };
  });
  const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions: ends }] });
  return (listed?.partitions ?? []).reduce((sum, { offset }) => sum + Number(offset), 0);
}

function parseLine(line: string): ConsumedRecord {
  const [partition = "", offset = "", headers = "", key = "", ...value] = line.split("\t");
  const pairs = headers.split(HEADER_END).map((header): [string, string] => {
    const colon = header.indexOf(":");
    return [header.slice(0, colon), header.slice(colon + 1)];
  });
  return {
    partition: Number(partition.replace("Partition:", "")),
    offset: Number(offset.replace("Offset:", "")),
    key,
    headers: Object.fromEntries(pairs),
    value: value.join("\t"),
  };
}
