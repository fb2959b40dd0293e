import { damaged } from "../../files/file-reader.ts";
import { isMissing, readFully } from "../../files/file-system.ts";
import { createOpenFiles } from "../../files/open-files.ts";
import { openPageCacheReader } from "../../files/page-cache.ts";
import { hasValidChecksum, isRecordOf, RECORD_HEADER_BYTES, type RecordAddress } from "./format.ts";

/** Reads records of segments, whose files it keeps open. */
export interface SegmentReader extends Disposable {
  /**
   * Returns all bytes of a blob. They are few, so they are always read and checked as a whole: the store never returns bytes
   * other than those that were stored.
   * @throws StoreError `blob_damaged`, with the address in its cause
   */
  read(address: RecordAddress): Promise<Uint8Array<ArrayBuffer>>;
  /** Closes the file of a segment that is gone. Before that, a concurrent read would open it again, and keep its space. */
  forget(segment: string): void;
}

const KEPT_OPEN = 1024;

export function createSegmentReader(pathOf: (segment: string) => string): SegmentReader {
  const openFiles = createOpenFiles(KEPT_OPEN);
  const readCached = openPageCacheReader();
  return {
    async read(address) {
      const where = `segment ${address.segment} at ${address.offset}`;
      const record = Buffer.allocUnsafeSlow(RECORD_HEADER_BYTES + address.length);
      try {
        await openFiles.use(pathOf(address.segment), async ({ fd }) => {
          const cached = readCached(fd, record, address.offset);
          if (cached < record.byteLength) {
            const rest = await readFully(fd, record.subarray(cached), address.offset + cached);
            if (cached + rest < record.byteLength) throw damaged(`${where}: it ends before its bytes do.`);
          }
        });
      } catch (error) {
        throw isMissing(error) ? damaged(`${where}: there is no such segment.`) : error;
      }
      if (!isRecordOf(record, address)) throw damaged(`${where}: there is no record of it.`);
      if (!hasValidChecksum(record)) throw damaged(`${where}: its bytes have another checksum.`);
      return record.subarray(RECORD_HEADER_BYTES);
    },
    forget: (segment) => openFiles.forget(pathOf(segment)),
    [Symbol.dispose]: () => openFiles[Symbol.dispose](),
  };
}
