import { BatchTooLarge, type KafkaClient } from "../../../src/adapters/publisher/client.ts";
import type { ConsumedRecord } from "../../cloud-events.ts";

/** One topic of a broker in memory. Its faults are for a test to set while it runs. */
export interface MemoryBroker {
  readonly records: ConsumedRecord[];
  /** How many records each request had. */
  readonly requests: number[];
  /** Connections that were made, and not closed since. */
  opened: number;
  open: number;
  /** Of one partition's part of a request. */
  maxBatchBytes: number;
  /** Runs after the records were written and before they are acknowledged. */
  beforeAcknowledgement: () => Promise<void>;
  /** What is said of the offset of a batch's first record. */
  acknowledge: (offset: bigint) => bigint | undefined;
  readonly createClient: () => KafkaClient;
}

export function createMemoryBroker(partitions = 3): MemoryBroker {
  const ends = new Map<number, number>();
  const broker: MemoryBroker = {
    records: [],
    requests: [],
    opened: 0,
    open: 0,
    maxBatchBytes: Number.POSITIVE_INFINITY,
    beforeAcknowledgement: async () => undefined,
    acknowledge: (offset) => offset,
    createClient() {
      return {
        async open() {
          broker.opened++;
          broker.open++;
        },
        partitionsOf: async (keys) => keys.map((key) => Number(Bun.hash(key) % BigInt(partitions))),
        async send(records, places) {
          broker.requests.push(records.length);
          const batches = Map.groupBy(records, (_, index) => places[index] ?? 0);
          for (const batch of batches.values()) {
            const bytes = batch.reduce((sum, { value }) => sum + value.length, 0);
            if (bytes > broker.maxBatchBytes) throw new BatchTooLarge(`${bytes} bytes`);
          }
          const offsets = [...batches].map(([partition, batch]) => {
            const first = ends.get(partition) ?? 0;
            ends.set(partition, first + batch.length);
            for (const [index, { key, value, headers }] of batch.entries()) {
              const texts = [...headers].map(([name, text]) => [name.toString(), text.toString()]);
              const where = { partition, offset: first + index, key: key.toString() };
              broker.records.push({ ...where, headers: Object.fromEntries(texts), value: value.toString() });
            }
            const offset = broker.acknowledge(BigInt(first));
            return offset === undefined ? [] : [{ partition, offset }];
          });
          await broker.beforeAcknowledgement();
          return offsets.flat();
        },
        async close() {
          broker.open--;
        },
      };
    },
  };
  return broker;
}
