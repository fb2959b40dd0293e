import { close, fdatasync, isMissing, open, readFully } from "../../files/file-system.ts";
import { type Gap, isRecordOf, type Place, RECORD_HEADER_BYTES, recordBytes } from "./format.ts";
import { openHolePuncher } from "./punch-hole.ts";
import type { Living } from "./segments.ts";

export interface RemoverOptions {
  readonly pathOf: (segment: string) => string;
  /** What was there until now, and is gone. */
  readonly onRemoved: (segment: string, removed: Living) => Promise<void>;
  /** It is not known what is still there. */
  readonly onFailure: (segment: string) => void;
}

/** Makes records zeros. Those of one segment that come together share a sync. */
export interface Remover extends AsyncDisposable {
  /** Idempotent. */
  remove(place: Place | Gap): Promise<void>;
  /** How many were removed from the segment since the start; undefined while some are being removed. */
  count(segment: string): number | undefined;
}

interface Group {
  readonly places: (Place | Gap)[];
  readonly done: Promise<void>;
}

export function createRemover({ pathOf, onRemoved, onFailure }: RemoverOptions): Remover {
  const punchHole = openHolePuncher();
  const gathering = new Map<string, Group>();
  const last = new Map<string, Promise<void>>();
  const counts = new Map<string, number>();

  function gather(segment: string): Group {
    const places: (Place | Gap)[] = [];
    const previous = last.get(segment) ?? Promise.resolve();
    const done = previous
      .catch(() => {})
      .then(() => new Promise((resolve) => setImmediate(resolve)))
      .then(() => {
        gathering.delete(segment);
        return removeAll(segment, places);
      })
      .finally(() => {
        if (last.get(segment) === done) last.delete(segment);
      });
    const group = { places, done };
    gathering.set(segment, group);
    last.set(segment, done);
    return group;
  }

  async function removeAll(segment: string, places: readonly (Place | Gap)[]): Promise<void> {
    let fd: number;
    try {
      fd = await open(pathOf(segment), "r+");
    } catch (error) {
      // With the last that lived in it, the segment went.
      if (isMissing(error)) return;
      throw error;
    }
    const removed = { records: 0, bytes: 0 };
    try {
      const header = Buffer.alloc(RECORD_HEADER_BYTES);
      for (const place of places) {
        if (!("nonce" in place)) {
          await punchHole(fd, place.offset, place.length);
          continue;
        }
        const isThere = (await readFully(fd, header, place.offset)) === header.byteLength && isRecordOf(header, place);
        // Also where the header is damaged: the bytes behind it must go.
        await punchHole(fd, place.offset, recordBytes(place.length));
        if (!isThere) continue;
        removed.records++;
        removed.bytes += recordBytes(place.length);
      }
      await fdatasync(fd);
    } catch (error) {
      onFailure(segment);
      throw error;
    } finally {
      await close(fd);
    }
    counts.set(segment, (counts.get(segment) ?? 0) + removed.records);
    await onRemoved(segment, removed);
  }

  return {
    remove(place) {
      const group = gathering.get(place.segment) ?? gather(place.segment);
      group.places.push(place);
      return group.done;
    },
    count: (segment) => (last.has(segment) ? undefined : (counts.get(segment) ?? 0)),
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(last.values());
    },
  };
}
