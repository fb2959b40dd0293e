import { type KafkaBroker, startKafka } from "../test/services/kafka-broker.ts";

let broker: Promise<KafkaBroker> | undefined;

/** The one broker of all benchmarks that need one, since its start takes longer than some of them; running. */
export async function runningBroker(): Promise<KafkaBroker> {
  broker ??= startKafka();
  const running = await broker;
  await running.start();
  return running;
}

export async function disposeOfBroker(): Promise<void> {
  await (await broker)?.[Symbol.asyncDispose]();
  broker = undefined;
}
