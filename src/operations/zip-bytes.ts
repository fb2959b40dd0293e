import { crc32 } from "node:zlib";
import { StoreError } from "../domain/errors.ts";
import { type ZipFile, zipEnd, zipEntry, zipHeader } from "../domain/zip.ts";
import type { ByteRange, Catalog } from "../ports.ts";
import { type PlannedFile, readZipPage, type ZipPage, type ZipPlan } from "./zip-plan.ts";
import { chunksOf, createZipSources, otherBytes, type ZipSourceDeps, type ZipSources } from "./zip-sources.ts";

export interface ZipBytesDeps extends ZipSourceDeps {
  readonly catalog: ZipSourceDeps["catalog"] & Pick<Catalog, "imageFiles" | "newestImageAt">;
  readonly zipSlots: Pick<ZipSlots, "bytesAhead">;
}

/** Up to this size, images are read whole and ahead, since an object store answers late. */
const SMALL_BYTES = 1024 * 1024;
/** Of one archive. */
const FILES_AHEAD = 16;
const BYTES_AHEAD = 4 * 1024 * 1024;
/** Of what is sent at once, if it has smaller parts. */
const CHUNK_BYTES = 256 * 1024;

/** Bounds the archives that are sent at once: each holds bytes for as long as its client takes to receive them. */
export interface ZipSlots {
  /**
   * A slot for an archive on its way, until it is disposed of, once or more often.
   * @throws StoreError `busy` when all are taken
   */
  take(): Disposable;
  /** How many bytes of images each of them may read ahead now. */
  bytesAhead(): number;
}

const MAX_SENT = 128;
const BYTES_AHEAD_OF_ALL = 32 * 1024 * 1024;

export function createZipSlots(): ZipSlots {
  const taken = new Set<symbol>();
  return {
    take() {
      if (taken.size >= MAX_SENT) throw new StoreError("busy", "Too many archives are being sent. Try again soon.");
      const slot = Symbol("slot");
      taken.add(slot);
      return { [Symbol.dispose]: () => void taken.delete(slot) };
    },
    bytesAhead: () => BYTES_AHEAD_OF_ALL / Math.max(taken.size, 1),
  };
}

/**
 * A range of an archive, in chunks. It reads only the images that have bytes in it, as fast as the consumer takes them.
 * @throws StoreError `unavailable` if the album is no longer what was planned; `blob_damaged`
 */
export async function* zipBytes(deps: ZipBytesDeps, plan: ZipPlan, range: ByteRange): AsyncGenerator<Uint8Array, void> {
  await using sources = createZipSources(deps);
  yield* gathered(within(range, partsOf(deps, sources, plan, range)));
}

/** Bytes that begin at a position of the archive. */
interface Part {
  readonly start: number;
  readonly bytes: Uint8Array;
}

async function* partsOf(
  { catalog, zipSlots }: ZipBytesDeps,
  sources: ZipSources,
  plan: ZipPlan,
  range: ByteRange,
): AsyncGenerator<Part, void> {
  const { directory } = plan;
  const directoryEnd = directory.start + directory.size;
  if (range.start < directory.start) {
    const pages = overlapping(plan.pages, ({ start }) => start, directory.start, range);
    const isIn = (file: PlannedFile) => file.dataStart + file.size > range.start && file.start < range.end;
    const files = filesOf(pages, async (page) => (await readZipPage(catalog, plan, page)).filter(isIn));
    for await (const file of readAhead(sources, files, zipSlots)) yield* partsOfFile(sources, file, range);
    await sources.record();
  }
  if (range.start < directoryEnd && range.end > directory.start) {
    const pages = overlapping(plan.pages, ({ entriesStart }) => entriesStart, directoryEnd, range);
    for (const page of pages) {
      const entries: Uint8Array[] = [];
      for (const file of await readZipPage(catalog, plan, page))
        entries.push(zipEntry(zipFileOf(file, await sources.checksum(file.image)), file.start));
      yield { start: page.entriesStart, bytes: Buffer.concat(entries) };
    }
  }
  if (range.end > directoryEnd) yield { start: directoryEnd, bytes: zipEnd(directory) };
}

const zipFileOf = ({ name, size, modifiedAt }: PlannedFile, checksum: number): ZipFile => ({
  name,
  size,
  modifiedAt,
  crc32: checksum,
});

/** The pages with something in the range. Each ends where the next begins, the last at `end`. */
const overlapping = (
  pages: readonly ZipPage[],
  startOf: (page: ZipPage) => number,
  end: number,
  range: ByteRange,
): readonly ZipPage[] =>
  pages.filter((page, index) => {
    const next = pages[index + 1];
    return startOf(page) < range.end && (next === undefined ? end : startOf(next)) > range.start;
  });

async function* filesOf(
  pages: readonly ZipPage[],
  read: (page: ZipPage) => Promise<readonly PlannedFile[]>,
): AsyncGenerator<PlannedFile, void> {
  for (const page of pages) yield* await read(page);
}

interface OpenedFile extends PlannedFile {
  /** Of a small image. */
  readonly bytes?: Promise<Uint8Array>;
}

async function* readAhead(
  sources: ZipSources,
  files: AsyncGenerator<PlannedFile, void>,
  { bytesAhead }: ZipBytesDeps["zipSlots"],
): AsyncGenerator<OpenedFile, void> {
  const opened: OpenedFile[] = [];
  let ahead = 0;
  for (let isEnd = false; ; ) {
    const most = Math.min(bytesAhead(), BYTES_AHEAD);
    while (!isEnd && opened.length < FILES_AHEAD && ahead < most) {
      const { done, value } = await files.next();
      if (done === true) isEnd = true;
      else {
        opened.push(open(sources, value));
        ahead += value.size;
      }
    }
    const first = opened.shift();
    if (first === undefined) return;
    ahead -= first.size;
    yield first;
  }
}

function open(sources: ZipSources, file: PlannedFile): OpenedFile {
  if (file.size > SMALL_BYTES) return file;
  const bytes = sources.readWhole(file.image);
  // Awaited when its turn comes; until then, or if the client leaves, a rejection must not count as unhandled.
  bytes.catch(() => undefined);
  return { ...file, bytes };
}

async function* partsOfFile(sources: ZipSources, file: OpenedFile, range: ByteRange): AsyncGenerator<Part, void> {
  const small = await file.bytes;
  const data = file.dataStart;
  if (range.start < data)
    yield { start: file.start, bytes: zipHeader(zipFileOf(file, await sources.checksum(file.image))) };
  if (small !== undefined) yield { start: data, bytes: small };
  else
    yield* partsOfData(sources, file, {
      start: Math.max(range.start - data, 0),
      end: Math.min(range.end - data, file.size),
    });
}

/** @param part of the image */
async function* partsOfData(sources: ZipSources, file: PlannedFile, part: ByteRange): AsyncGenerator<Part, void> {
  if (part.start >= part.end) return;
  const { image } = file;
  const isWhole = part.start === 0 && part.end === file.size;
  let { start } = part;
  let checksum = 0;
  // With a range even if it is all of it: a node keeps no copy of a part, so an archive does not empty its cache.
  for await (const bytes of chunksOf(await sources.read(image, part))) {
    if (isWhole) checksum = crc32(bytes, checksum);
    // Before the last chunk is sent, so that the client never takes damaged bytes for all of them.
    if (isWhole && start + bytes.length === part.end && checksum !== (await sources.checksum(image)))
      throw otherBytes(image);
    yield { start: file.dataStart + start, bytes };
    start += bytes.length;
  }
  if (start !== part.end) throw otherBytes(image, `${start - part.start} bytes from ${part.start}`);
}

/** What of the parts is in the range. */
async function* within(range: ByteRange, parts: AsyncGenerator<Part, void>): AsyncGenerator<Uint8Array, void> {
  for await (const { start, bytes } of parts) {
    const from = Math.max(range.start - start, 0);
    const to = Math.min(range.end - start, bytes.length);
    if (from < to) yield bytes.subarray(from, to);
    if (start + bytes.length >= range.end) return;
  }
}

/** Small parts together: each chunk costs a turn of the event loop. */
async function* gathered(parts: AsyncGenerator<Uint8Array, void>): AsyncGenerator<Uint8Array, void> {
  let waiting: Uint8Array[] = [];
  let size = 0;
  for await (const part of parts) {
    waiting.push(part);
    size += part.length;
    if (size < CHUNK_BYTES) continue;
    yield waiting.length === 1 ? part : Buffer.concat(waiting, size);
    waiting = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(waiting, size);
}
