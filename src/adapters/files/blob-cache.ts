/** Small blobs that are read often, in memory. Each is a Blob, which a response sends without a copy. */
export interface BlobCache {
  get(location: string): Blob | undefined;
  /** Returns the cached Blob if it is kept: from the second time on that it is offered. */
  offer(location: string, bytes: Uint8Array<ArrayBuffer>): Blob | undefined;
  delete(location: string): void;
}

interface Entry {
  readonly blob: Blob;
  wasUsed: boolean;
}

/** How many locations are remembered that were offered once. */
const SEEN_ONCE = 16_384;

/**
 * `capacity` in bytes; 0: nothing is kept. A client that reads everything once does not displace anything: only a blob
 * that is offered again while its location is remembered gets in, and a blob that was used since the last round of eviction
 * stays for another (CLOCK).
 */
export function createBlobCache(capacity: number): BlobCache {
  const entries = new Map<string, Entry>();
  const seenOnce = new Set<string>();
  let bytes = 0;

  function drop(location: string, { blob }: Entry): void {
    entries.delete(location);
    bytes -= blob.size;
  }

  function makeRoom(size: number): void {
    for (const [location, entry] of entries) {
      if (bytes + size <= capacity) return;
      drop(location, entry);
      if (!entry.wasUsed) continue;
      // To the end: a Map keeps the order of insertion, and this loop meets the entry again.
      entries.set(location, { blob: entry.blob, wasUsed: false });
      bytes += entry.blob.size;
    }
  }

  function isSeenAgain(location: string): boolean {
    if (seenOnce.delete(location)) return true;
    seenOnce.add(location);
    if (seenOnce.size > SEEN_ONCE) {
      const [oldest] = seenOnce;
      seenOnce.delete(oldest as string);
    }
    return false;
  }

  return {
    get(location) {
      const entry = entries.get(location);
      if (entry !== undefined) entry.wasUsed = true;
      return entry?.blob;
    },
    offer(location, content) {
      if (content.byteLength > capacity / 8 || !isSeenAgain(location)) return undefined;
      const known = entries.get(location);
      if (known !== undefined) return known.blob;
      makeRoom(content.byteLength);
      const blob = new Blob([content]);
      entries.set(location, { blob, wasUsed: false });
      bytes += blob.size;
      return blob;
    },
    delete(location) {
      const entry = entries.get(location);
      if (entry !== undefined) drop(location, entry);
      seenOnce.delete(location);
    },
  };
}
