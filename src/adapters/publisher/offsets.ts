interface Sent {
  readonly partition: number;
}

interface Acknowledged extends Sent {
  readonly offset: bigint;
}

export interface OffsetCheck {
  /**
   * Whether the offsets with which a batch was acknowledged are new ones. An acknowledgement that repeats an offset is
   * none: a broker takes a sequence number that it has seen for a duplicate, drops the records and says where the first
   * ones are (platformatic/kafka#326).
   */
  check(sent: readonly Sent[], acknowledged: readonly Acknowledged[]): void;
}

export function createOffsetCheck(): OffsetCheck {
  const nextByPartition = new Map<number, bigint>();
  return {
    check(sent, acknowledged) {
      const counts = new Map<number, bigint>();
      for (const { partition } of sent) counts.set(partition, (counts.get(partition) ?? 0n) + 1n);
      for (const [partition, count] of counts) {
        const [first, ...more] = acknowledged.filter((one) => one.partition === partition);
        if (first === undefined || more.length > 0)
          throw new Error(`Partition ${partition} was acknowledged ${more.length + (first ? 1 : 0)} times.`);
        const next = nextByPartition.get(partition) ?? 0n;
        if (first.offset < next)
          throw new Error(`Partition ${partition} acknowledged offset ${first.offset}, although ${next} was the next.`);
        nextByPartition.set(partition, first.offset + count);
      }
    },
  };
}
