import * as fs from "node:fs";
import { serveRequests, type ThreadPort } from "../../../concurrency/worker-thread.ts";
import { isMissing } from "../../files/file-system.ts";
import { type Gap, isRecordOf, RECORD_HEADER_BYTES, type RecordAddress, recordBytes } from "./format.ts";
import type { LiveStats } from "./live-stats.ts";
import { type HolePuncher, openHolePuncher } from "./punch-hole.ts";

/** Overwrites records and gaps of one segment with zeros, durably, and returns what of it was still there. Idempotent. */
export type Erase = (path: string, addresses: readonly (RecordAddress | Gap)[]) => Promise<LiveStats>;

/**
 * As {@link Erase}, but blocks this thread: a hole of 100 KB takes 0.4 ms mostly, now and then 13 ms, and no system call
 * punches holes in the background.
 */
export function createEraser(punchHole: HolePuncher = openHolePuncher()) {
  const header = Buffer.alloc(RECORD_HEADER_BYTES);

  function eraseAll(fd: number, addresses: readonly (RecordAddress | Gap)[]): LiveStats {
    const erased = { records: 0, bytes: 0 };
    for (const address of addresses) {
      if (!("nonce" in address)) {
        punchHole(fd, address.offset, address.length);
        continue;
      }
      const length = recordBytes(address.length);
      const isThere =
        fs.readSync(fd, header, 0, header.byteLength, address.offset) === header.byteLength &&
        isRecordOf(header, address);
      // Even where the header is damaged: the bytes behind it must go.
      punchHole(fd, address.offset, length);
      if (!isThere) continue;
      erased.records++;
      erased.bytes += length;
    }
    fs.fdatasyncSync(fd);
    return erased;
  }

  return (path: string, addresses: readonly (RecordAddress | Gap)[]): LiveStats => {
    let fd: number;
    try {
      fd = fs.openSync(path, "r+");
    } catch (error) {
      // The segment was removed with its last live record.
      if (isMissing(error)) return { records: 0, bytes: 0 };
      throw error;
    }
    try {
      return eraseAll(fd, addresses);
    } finally {
      fs.closeSync(fd);
    }
  };
}

export interface EraseRequest {
  readonly path: string;
  readonly addresses: readonly (RecordAddress | Gap)[];
}

/** Runs on the thread. */
export function serveEraser(port: ThreadPort): void {
  const erase = createEraser();
  serveRequests(port, ({ path, addresses }: EraseRequest) => erase(path, addresses));
}
