import type { FoundBlob, UnreadableBytes } from "../../../ports.ts";
import { addressOf, formatGap, formatLocation, isHitBy, parseLocation, recordBytes } from "./format.ts";
import type { ScanItem } from "./scan.ts";

type Tell = (bytes: UnreadableBytes) => void;
type Unreadable = Extract<ScanItem, { kind: "unreadable" }>;

export interface ListedSegment {
  readonly id: string;
  readonly path: string;
  readonly items: AsyncIterable<ScanItem>;
  /** Bytes of a segment that is appended to may belong to a record that is being written. */
  readonly isGrowing: boolean;
}

/** Yields the blobs of a segment, and reports what of it is unreadable, or cut short, to `tell`. */
export async function* listSegment(
  { id, path, items, isGrowing }: ListedSegment,
  unreleased: ReadonlySet<string>,
  tell: Tell,
): AsyncGenerator<FoundBlob> {
  for await (const item of items) {
    if (item.kind === "unreadable") {
      const { offset, size } = item;
      const extent = { path, offset, length: size };
      const orphaned = isGrowing || item.isRefused ? undefined : orphanedExtentOf(id, item);
      tell({ where: `segment ${id} at ${offset}`, size, extent, ...(orphaned && { orphaned }) });
      continue;
    }
    const { record } = item;
    const { key, offset, length, writtenAt } = record;
    // Yielded as well, so that the sweeper removes what is left of it where no record names it.
    if (item.isCutShort) {
      const extent = { path, offset, length: recordBytes(length) };
      tell({ where: `segment ${id} at ${offset}, cut short`, size: length, extent });
    }
    // The scan read the record before this looks at the uploads on their way, and the caller asks the catalog after.
    if (!unreleased.has(key))
      yield { key, location: formatLocation(addressOf(id, record)), size: length, modifiedAt: writtenAt };
  }
}

function orphanedExtentOf(segment: string, { offset, size }: Unreadable) {
  const gap = { segment, offset, length: size };
  const isOf = (location: string) => {
    const address = parseLocation(location);
    return address !== undefined && isHitBy(address, gap);
  };
  return { location: formatGap(gap), isOf };
}
