import type { Acknowledgement } from "./client.ts";

export interface OffsetCheck {
  /**
   * Checks that a batch was acknowledged with new offsets. A broker treats a known sequence number as a duplicate: it drops the
   * records and returns the offset of the earlier ones (platformatic/kafka#326).
   * @param partitions the partition of each record
   * @throws Error if an offset is not new
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
