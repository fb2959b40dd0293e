/** Small blobs that are asked for often, in memory. Each is kept as a Blob, which an answer sends without a copy. */
export interface BlobCache {
  get(location: string): Blob | undefined;
  /** Answers it for the answer when it is kept: from the second time on that it is asked for. */
  offer(location: string, bytes: Uint8Array<ArrayBuffer>): Blob | undefined;
  delete(location: string): void;
}

interface Entry {
  readonly blob: Blob;
  wasUsed: boolean;
}

/** Names of what was seen once lately, as many as that. */
const SEEN_ONCE = 16_384;

/**
 * `capacity` in bytes; 0: nothing is kept. Who reads everything once leaves it as it is: only what is asked for again
 * while its name is remembered gets in, and what was used since the hand last passed stays for another round (CLOCK).
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
      // To the end of the line: a Map keeps the order of insertion, and this loop meets it again.
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
