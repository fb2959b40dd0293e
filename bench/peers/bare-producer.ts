/**
 * The most that the Kafka client can do on this machine: the messages of a store's whole log, made beforehand, sent in
 * batches of the relay's size, each awaited. Prints its process id when it begins, and stays until it is ended.
 */
import { compatibilityPartitioner, Producer } from "@platformatic/kafka";
import { batches, type EventMessage, toMessage } from "../../src/adapters/publisher/messages.ts";
import { type LogPosition, toCloudEvent } from "../../src/domain/event.ts";
import { openCatalog } from "../catalog.ts";
import { PARTITIONS } from "../kafka-topic.ts";

const MAX_BATCH_BYTES = 512 * 1024;

const [dataFolder = "", address = "", topic = ""] = process.argv.slice(2);
const messages = await readMessages();
const producer = new Producer({ clientId: "image-store-bench", bootstrapBrokers: [address], idempotent: true });
console.log(process.pid);

for (const batch of batches(messages, MAX_BATCH_BYTES)) {
  const records = batch.map(({ key, value, headers }) => {
    const record = { topic, key, value, headers };
    return { ...record, partition: compatibilityPartitioner(record, key) % PARTITIONS };
  });
  await producer.send({ messages: records });
}

async function readMessages(): Promise<EventMessage[]> {
  await using catalog = await openCatalog(dataFolder);
  const { epoch } = await catalog.log();
  const read: EventMessage[] = [];
  let after: LogPosition | undefined;
  for (;;) {
    const batch = await catalog.events({ visibility: "all", limit: 1000, ...(after === undefined ? {} : { after }) });
    for (const event of batch.events)
      read.push(toMessage(toCloudEvent(event, { storeId: catalog.storeId, epoch }), "binary"));
    if (batch.atEnd) return read;
    after = batch.next;
  }
}
