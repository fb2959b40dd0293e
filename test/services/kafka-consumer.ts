import type { ConsumedRecord } from "../contracts/publisher.ts";
import { javaCommand, kafkaClasspath, run } from "./kafka-jars.ts";

const HEADER_END = "\u0001";

/**
 * Everything in the topic, each partition in its order, read by Kafka's own consumer: a client of ours on both ends would
 * agree with itself. Ends when nothing came for `idleMilliseconds`.
 */
export async function consumeTopic(
  address: string,
  topic: string,
  { idleMilliseconds = 4000 }: { idleMilliseconds?: number } = {},
): Promise<ConsumedRecord[]> {
  const shown = ["key", "headers", "partition", "offset"].map((part) => `print.${part}=true`);
  const properties = [...shown, `headers.separator=${HEADER_END}`, "key.separator=\t"];
  const consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
  const which = ["--bootstrap-server", address, "--topic", topic, "--from-beginning"];
  const until = ["--timeout-ms", String(idleMilliseconds)];
  const format = properties.flatMap((property) => ["--property", property]);
  const output = await run(javaCommand(await kafkaClasspath(), consumer, [...which, ...until, ...format]));
  return output
    .split("\n")
    .filter((line) => line !== "")
    .map(parseLine);
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
