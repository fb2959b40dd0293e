import { join } from "node:path";
import type { KafkaBroker } from "../test/services/kafka-broker.ts";
import { missingForKafka } from "../test/services/kafka-jars.ts";
import { runningBroker } from "./broker.ts";
import { until } from "./clock.ts";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { fillingRate, followTopic, PARTITIONS, watchTopic } from "./kafka-topic.ts";
import { startPeer } from "./peers/peer.ts";
import { seededFolder } from "./seed.ts";
import { createAlbumsAtRate } from "./sse.ts";
import { percentile } from "./statistics.ts";
import { startStore } from "./store.ts";

const LATENCY = "commit to Kafka consumer, p99";
const RELAY = "relay of a log to Kafka";
const ALBUMS = 50;

export const kafka: Benchmark = {
  name: "kafka",
  about: "latency from commit to Kafka consumer, and relay throughput against a bare producer",
  async run(context) {
    const missing = missingForKafka();
    if (missing !== undefined) {
      const note = `NOT RUN: needs ${missing}`;
      return [LATENCY, RELAY].map((work) => ({ work, ours: undefined, note }));
    }
    const broker = await runningBroker();
    return [await latency(context, broker), await relay(context, broker)];
  },
};

async function latency(context: Context, broker: KafkaBroker): Promise<Row> {
  const topic = "bench.latency";
  await broker.createTopic(topic, { partitions: PARTITIONS });
  const dataFolder = join(context.folder, "latency");
  await using store = await startStore({
    dataFolder,
    settings: { KAFKA_URL: `kafka://${broker.address}/${topic}` },
  });
  await using consumer = await followTopic(broker.address, topic);
  const p99OfLoad = async (seconds: number) => {
    const before = consumer.delays.length;
    const load = await createAlbumsAtRate(store.port, seconds);
    await until(() => consumer.delays.length >= before + load.requests, 30);
    return percentile(consumer.delays.slice(before), 0.99);
  };
  // This also waits for the consumer to join.
  await p99OfLoad(context.seconds(2));
  const { p99 } = await interleave(context.runs, { p99: () => p99OfLoad(context.seconds(5)) });
  return {
    work: LATENCY,
    ours: { unit: "ms", runs: p99 },
    goal: { of: "ours", bound: "most", value: 50 },
    note: "100 album creates/s; measured from the event's time, so it includes the commit's sync",
  };
}

/** Each run fills a topic of its own: a cursor is named by its topic, so the store relays its whole log once more. */
async function relay(context: Context, broker: KafkaBroker): Promise<Row> {
  const images = context.smoke ? 2000 : 100_000;
  const events = images + ALBUMS;
  const dataFolder = await seededFolder(context.cache, { images, albums: ALBUMS }, context.say);
  const filled = async (send: (topic: string) => Promise<AsyncDisposable>) => {
    const topic = `bench.${crypto.randomUUID()}`;
    await broker.createTopic(topic, { partitions: PARTITIONS });
    await using stack = new AsyncDisposableStack();
    const watch = stack.use(watchTopic(broker.address, topic));
    stack.use(await send(topic));
    return await fillingRate(watch, events);
  };
  const { ours, theirs } = await interleave(context.runs, {
    ours: () =>
      filled((topic) =>
        startStore({
          dataFolder,
          settings: { KAFKA_URL: `kafka://${broker.address}/${topic}`, EVENTS_RETENTION: "forever" },
        }),
      ),
    theirs: () => filled((topic) => startPeer("bare-producer.ts", [dataFolder, broker.address, topic])),
  });
  return {
    work: `${RELAY}, ${events.toLocaleString("en")} events`,
    ours: { unit: "/s", runs: ours },
    against: { name: "bare producer, same messages from memory", series: { unit: "/s", runs: theirs } },
    goal: { of: "ratio", bound: "least", value: 0.6 },
    note: "the broker shares the cores",
  };
}
