import { StoreError } from "../../domain/errors.ts";
import type { BlobContent, ByteRange } from "../../ports.ts";
import { isMissing, readFully } from "./file-system.ts";
import { createOpenFiles, type OpenFile } from "./open-files.ts";
import { openPageCacheReader } from "./page-cache.ts";

/** Larger content is streamed: a slow client of a large image takes the memory of one piece. */
const WHOLE_BYTES = 1024 * 1024;

export interface FileReader extends Disposable {
  /** @throws StoreError `blob_damaged` when the file is missing or has not `size` bytes */
  read(path: string, options: { size: number; range?: ByteRange }): Promise<BlobContent>;
  /** Call it after the file was unlinked. */
  forget(path: string): void;
}

/** `keptOpen`: how many descriptors it keeps for later reads. Bun raises their limit to the hard one. */
export function createFileReader({ keptOpen }: { keptOpen: number }): FileReader {
  const openFiles = createOpenFiles(keptOpen);
  const readCached = openPageCacheReader();

  function readPart(path: string, size: number, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    return withFile(path, size, ({ fd }) => {
      const bytes = Buffer.allocUnsafeSlow(end - start);
      if (start === end) return bytes;
      const cached = readCached(fd, bytes, start);
      return cached === bytes.byteLength ? bytes : readRest(fd, bytes, cached, start);
    });
  }

  async function withFile<Result>(path: string, size: number, work: (file: OpenFile) => Result | Promise<Result>) {
    try {
      return await openFiles.use(path, (file) => {
        if (file.size !== size) throw damaged(`It has ${file.size} bytes, its record says ${size}.`);
        return work(file);
      });
    } catch (error) {
      throw isMissing(error) ? damaged(error) : error;
    }
  }

  return {
    async read(path, { size, range }) {
      const { start, end } = range ?? { start: 0, end: size };
      if (end - start <= WHOLE_BYTES) return readPart(path, size, start, end);
      await withFile(path, size, () => undefined);
      // The runtime's own stream: with any other it drops Content-Length (bun#10507), and it sends this one from the file
      // itself.
      return Bun.file(path).slice(start, end).stream();
    },
    forget: (path) => openFiles.forget(path),
    [Symbol.dispose]: () => openFiles[Symbol.dispose](),
  };
}

async function readRest(fd: number, bytes: Buffer<ArrayBuffer>, done: number, start: number) {
  const read = await readFully(fd, bytes.subarray(done), start + done);
  if (done + read < bytes.byteLength) throw damaged("It became shorter after it was opened.");
  return bytes;
}

export const damaged = (cause: unknown) =>
  new StoreError("blob_damaged", "The stored bytes are missing or damaged. Uploading the image again heals it.", {
    cause,
  });
