import { damaged } from "../../files/file-reader.ts";
import { isMissing, readFully } from "../../files/file-system.ts";
import type { OpenFiles } from "../../files/open-files.ts";
import { openPageCacheReader } from "../../files/page-cache.ts";
import { isRecordOf, isSound, type Place, RECORD_HEADER_BYTES } from "./format.ts";

export interface SegmentReader {
  /**
   * The bytes of a blob, all of them: small as they are, they are read whole, so that none is ever given out that is not
   * what was stored.
   * @throws StoreError `blob_damaged`, which says where
   */
  read(path: string, place: Place): Promise<Uint8Array<ArrayBuffer>>;
}

export function createSegmentReader(openFiles: OpenFiles): SegmentReader {
  const readCached = openPageCacheReader();
  return {
    async read(path, place) {
      const where = `segment ${place.segment} at ${place.offset}`;
      const record = Buffer.allocUnsafeSlow(RECORD_HEADER_BYTES + place.length);
      try {
        await openFiles.use(path, async ({ fd }) => {
          const cached = readCached(fd, record, place.offset);
          if (cached < record.byteLength) {
            const rest = await readFully(fd, record.subarray(cached), place.offset + cached);
            if (cached + rest < record.byteLength) throw damaged(`${where}: it ends before its bytes do.`);
          }
        });
      } catch (error) {
        throw isMissing(error) ? damaged(`${where}: there is no such segment.`) : error;
      }
      if (!isRecordOf(record, place)) throw damaged(`${where}: there is no record of it.`);
      if (!isSound(record)) throw damaged(`${where}: its bytes have another checksum.`);
      return record.subarray(RECORD_HEADER_BYTES);
    },
  };
}
