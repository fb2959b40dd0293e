import type { Acknowledgement } from "./client.ts";

export interface OffsetCheck {
  /**
   * Whether a batch, given by the partition of each record, was acknowledged with offsets that are new. A broker takes a
   * sequence number that it has seen for a duplicate, drops the records and answers where the first ones are: such an
   * acknowledgement is none (platformatic/kafka#326).
   * @throws Error
   */
  check(partitions: readonly number[], acknowledged: readonly Acknowledgement[]): void;
}

export function createOffsetCheck(): OffsetCheck {
  const nextOffsets = new Map<number, bigint>();
  return {
    check(partitions, acknowledged) {
      const counts = new Map<number, bigint>();
      for (const partition of partitions) counts.set(partition, (counts.get(partition) ?? 0n) + 1n);
      for (const [partition, count] of counts) {
        const [first, ...more] = acknowledged.filter((one) => one.partition === partition);
        if (first === undefined || more.length > 0)
          throw new Error(`Partition ${partition} was acknowledged ${first === undefined ? "not at all" : "twice"}.`);
        const next = nextOffsets.get(partition) ?? 0n;
        if (first.offset < next)
          throw new Error(`Partition ${partition} acknowledged offset ${first.offset}, although ${next} was the next.`);
        nextOffsets.set(partition, first.offset + count);
      }
    },
  };
}
