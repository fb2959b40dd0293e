import { recordBytes } from "./format.ts";
import type { ScanItem } from "./scan.ts";

/** How many records of a segment were not removed, and the bytes that they take of it. */
export interface LiveStats {
  readonly records: number;
  readonly bytes: number;
}

export interface LiveStatsDeps {
  readonly scan: (segment: string) => AsyncIterable<ScanItem>;
  /** How many records were removed from the segment since the start; undefined while a removal runs. */
  readonly removals: (segment: string) => number | undefined;
}

/** What lives in each segment: kept for those that were created or scanned since the start, counted by a scan for others. */
export interface LiveStatsBySegment {
  /** Undefined where it is not known without a scan. */
  known(segment: string): LiveStats | undefined;
  /** For a sealed segment. Undefined where a removal ran during the scan, since its result would be stale. */
  of(segment: string): Promise<LiveStats | undefined>;
  set(segment: string, stats: LiveStats): void;
  /** Changes what is known; does nothing where nothing is. */
  add(segment: string, change: LiveStats): void;
  delete(segment: string): void;
  /** Scans the segment. It is torn where bytes are unreadable or a record is cut short. */
  count(segment: string): Promise<LiveStats & { readonly isTorn: boolean }>;
}

export function createLiveStats({ scan, removals }: LiveStatsDeps): LiveStatsBySegment {
  const bySegment = new Map<string, LiveStats>();

  async function count(segment: string) {
    const found = { records: 0, bytes: 0, isTorn: false };
    for await (const item of scan(segment)) {
      found.isTorn ||= item.kind === "unreadable" || item.isCutShort;
      if (item.kind === "unreadable") continue;
      found.records++;
      found.bytes += recordBytes(item.record.length);
    }
    return found;
  }

  return {
    known: (segment) => bySegment.get(segment),
    async of(segment) {
      const before = removals(segment);
      if (bySegment.has(segment) || before === undefined) return bySegment.get(segment);
      const { records, bytes } = await count(segment);
      if (before === removals(segment)) bySegment.set(segment, { records, bytes });
      return bySegment.get(segment);
    },
    set: (segment, stats) => void bySegment.set(segment, stats),
    add(segment, { records, bytes }) {
      const before = bySegment.get(segment);
      if (before !== undefined)
        bySegment.set(segment, { records: before.records + records, bytes: before.bytes + bytes });
    },
    delete: (segment) => void bySegment.delete(segment),
    count,
  };
}
