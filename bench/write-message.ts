import { Producer } from "@platformatic/kafka";
import { createKafkaPublisher } from "../src/adapters/publisher/kafka.ts";
import type { SerializedCloudEvent } from "../src/domain/event.ts";
import { missingForKafka } from "../test/services/kafka-jars.ts";
import { runningBroker } from "./broker.ts";
import { type Context, interleave, type Row } from "./frame.ts";

const TOPIC = "bench.messages";

/** Acknowledged events to a real broker, one at a time. */
export async function measureWriteMessage(context: Context): Promise<Row> {
  const missing = missingForKafka();
  if (missing !== undefined) return { work: `WriteMessage: NOT RUN, needs ${missing}`, ours: undefined };
  const broker = await runningBroker();
  const connection = { brokers: [broker.address], tls: undefined, sasl: undefined };
  await using publisher = createKafkaPublisher({ ...connection, topic: TOPIC, mode: "binary" });
  const messages = context.smoke ? 20 : 1000;
  const write = async () => {
    const start = performance.now();
    for (let n = 0; n < messages; n++) await publisher.publish([EVENT]);
    return ((performance.now() - start) * 1000) / messages;
  };
  const bare = new Producer({ clientId: "bare", bootstrapBrokers: [broker.address], idempotent: true });
  const message = { topic: TOPIC, key: Buffer.from("bench"), value: Buffer.from(EVENT.data), partition: 0 };
  const writeBare = async () => {
    const start = performance.now();
    for (let n = 0; n < messages; n++) await bare.send({ messages: [{ ...message }] });
    return ((performance.now() - start) * 1000) / messages;
  };
  await write();
  await writeBare();
  const { ours, theirs } = await interleave(context.runs, { ours: write, theirs: writeBare });
  await bare.close(true);
  return {
    work: "WriteMessage: an event to Kafka, acknowledged",
    ours: { unit: "µs", runs: ours },
    against: { name: "bare producer, no headers", series: { unit: "µs", runs: theirs } },
  };
}

const EVENT: SerializedCloudEvent = {
  attributes: {
    specversion: "1.0",
    id: Bun.randomUUIDv7(),
    source: "/image-store/bench",
    type: "imagestore.album.created",
    subject: "albums/bench",
    time: new Date().toISOString(),
    datacontenttype: "application/json",
    partitionkey: "bench",
    sequence: "00000001000000000001",
  },
  data: JSON.stringify({ name: "bench", title: "x".repeat(200), reason: "user" }),
};
