import { type KafkaBroker, startKafka } from "../test/services/kafka-broker.ts";

let broker: Promise<KafkaBroker> | undefined;

/** The running broker that all benchmarks share, since it starts more slowly than some of them run. */
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
