import { join } from "node:path";
import { missingForKafka } from "../test/services/kafka-jars.ts";
import { runningBroker } from "./broker.ts";
import { until } from "./clock.ts";
import { type Benchmark, interleave } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { watchTopic } from "./kafka-topic.ts";
import { createAlbum, createImages, type RunningStore, startStore, sumMetric } from "./store.ts";

const IN_FLIGHT = 16;
const WORK = `create image, 4 KB, ${IN_FLIGHT} in flight, while Kafka is away`;
const TOPIC = "bench.away";
const DEFAULT_MINUTES = 1;
const MAX_TURN_SECONDS = 30;
const DELIVERY_SECONDS = 600;

export const kafkaDown: Benchmark = {
  name: "kafka-down",
  about: "minutes of load while the broker is down, against the same load without Kafka; then the broker's return",
  async run(context) {
    const missing = missingForKafka();
    if (missing !== undefined) return [{ work: WORK, ours: undefined, note: `NOT RUN: needs ${missing}` }];
    const file = join(context.folder, "4.jpg");
    await Bun.write(file, await jpegOf(4096));
    const broker = await runningBroker();
    await broker.stop();
    await using away = await startStore({
      dataFolder: join(context.folder, "away"),
      settings: { KAFKA_URL: `kafka://${broker.address}/${TOPIC}` },
    });
    await using without = await startStore({ dataFolder: join(context.folder, "without") });

    const minutes = context.smoke ? 0.05 : (context.minutes ?? DEFAULT_MINUTES);
    const turns = Math.max(context.runs, Math.ceil((minutes * 60) / MAX_TURN_SECONDS));
    const seconds = (minutes * 60) / turns;
    let created = 0;
    const load = async (store: RunningStore, memory: number[]) => {
      const result = await createImages(store, file, { seconds, inFlight: IN_FLIGHT });
      memory.push(await store.residentMB());
      if (store === away) created += result.requests;
      return result.perSecond;
    };
    const memory = { away: [] as number[], without: [] as number[] };
    for (const store of [away, without]) {
      await createAlbum(store, "bench");
      const warmUp = await createImages(store, file, { seconds: context.seconds(5), inFlight: IN_FLIGHT });
      if (store === away) created += warmUp.requests + 1;
    }
    context.say(`${turns} turns of ${seconds.toFixed(0)} s each`);
    const figures = await interleave(turns, {
      away: () => load(away, memory.away),
      without: () => load(without, memory.without),
    });

    context.say(`the broker returns; ${created.toLocaleString("en")} events wait`);
    await broker.start();
    const returned = performance.now();
    await using watch = watchTopic(broker.address, TOPIC);
    // The topic is the store's to make, once it has found the broker.
    const delivered = async () =>
      (await watch.count().catch(() => 0)) >= created &&
      sumMetric(await away.metrics(), "image_store_relay_lag_events") === 0;
    await until(delivered, DELIVERY_SECONDS);
    const deliveredIn = performance.now() - returned;
    return [
      {
        work: `${WORK}, ${minutes} min`,
        ours: { unit: "/s", runs: figures.away },
        against: { name: "without Kafka", series: { unit: "/s", runs: figures.without } },
        goal: { of: "ratio", bound: "least", value: 0.95 },
        note: "a failed request would have ended the benchmark",
      },
      {
        work: "memory after each round",
        ours: { unit: "MB", runs: memory.away },
        against: { name: "without Kafka", series: { unit: "MB", runs: memory.without } },
        note: `${change(memory.away)} from the first turn to the last, without Kafka ${change(memory.without)}`,
      },
      {
        work: `delivery of all ${created.toLocaleString("en")} events after its return`,
        ours: { unit: "/s", runs: [(created * 1000) / deliveredIn] },
        note: `all there ${(deliveredIn / 1000).toFixed(1)} s after the broker answered, back-off included`,
      },
    ];
  },
};

function change(series: readonly number[]): string {
  const megabytes = (series.at(-1) ?? 0) - (series[0] ?? 0);
  return `${megabytes < 0 ? "−" : "+"}${Math.abs(megabytes).toFixed(0)} MB`;
}
