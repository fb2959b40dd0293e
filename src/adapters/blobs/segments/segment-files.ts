import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  close,
  fdatasync,
  fsync,
  isDiskFailure,
  isMissing,
  open,
  readFully,
  unlinkIfThere,
  writeAll,
} from "../../files/file-system.ts";
import type { FolderSync } from "../folder-sync.ts";
import {
  BLOCK_BYTES,
  decodeSegmentHeader,
  encodeSegmentHeader,
  isOfOtherVersion,
  type SegmentHeader,
  segmentFileName,
  segmentIdOf,
} from "./format.ts";
import { type ScanItem, scanSegment } from "./scan.ts";
import type { OpenSegment } from "./writer.ts";

/** The files of segments in one folder. */
export interface SegmentFiles {
  readonly pathOf: (id: string) => string;
  /** The oldest first. None where there is no folder. */
  ids(): Promise<readonly string[]>;
  /** Creates the folder; durable when it resolves. */
  prepare(): Promise<void>;
  /** Creates an empty segment; durable when it resolves. */
  create(header: SegmentHeader): Promise<OpenSegment>;
  /**
   * Opens a segment for appending at `end`, after a sync of what an earlier process wrote. Undefined where it has no valid
   * header, `end` is undefined for its size, or the sync fails; a segment without any record is then removed.
   */
  reopen(id: string, end: (size: number) => Promise<number | undefined>): Promise<OpenSegment | undefined>;
  /** Yields nothing where the segment does not exist any more. */
  scan(id: string): AsyncGenerator<ScanItem>;
  /** Bytes that the file takes of the disk; 0 where it does not exist any more. */
  allocatedBytes(id: string): Promise<number>;
  /** Durable when it resolves. */
  remove(id: string): Promise<void>;
}

export function createSegmentFiles(folder: string, folders: FolderSync): SegmentFiles {
  const pathOf = (id: string) => join(folder, segmentFileName(id));

  return {
    pathOf,

    async ids() {
      const names = await readdir(folder).catch((error: unknown) => {
        if (isMissing(error)) return [];
        throw error;
      });
      return names
        .map(segmentIdOf)
        .filter((id) => id !== undefined)
        .toSorted();
    },

    async prepare() {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await folders.sync(folder);
    },

    async create(header) {
      const path = pathOf(header.id);
      const fd = await open(path, "wx", 0o600);
      try {
        await writeAll(fd, encodeSegmentHeader(header));
        await fsync(fd);
        await folders.sync(folder);
      } catch (error) {
        await Promise.allSettled([close(fd), unlinkIfThere(path)]);
        throw error;
      }
      return { ...header, fd, end: BLOCK_BYTES };
    },

    async reopen(id, endOf) {
      const path = pathOf(id);
      const fd = await open(path, "r+");
      const header = await readSegmentHeader(fd, id);
      const { size } = await stat(path);
      const end = header === undefined ? undefined : await endOf(size);
      // What a killed process wrote, and the length of the file, may be in memory only. A record that the listing shows
      // and the sweeper takes must not lie where another one will after a power cut.
      const isDurable = await fdatasync(fd).then(
        () => true,
        () => false,
      );
      if (isDurable && header !== undefined && end !== undefined) return { ...header, fd, end };
      await close(fd);
      // A start was cut off before it wrote the first record.
      if (header === undefined && size <= BLOCK_BYTES) await unlinkIfThere(path);
      return undefined;
    },

    async *scan(id) {
      let fd: number;
      try {
        fd = await open(pathOf(id), "r");
      } catch (error) {
        if (isMissing(error)) return;
        throw error;
      }
      try {
        const { size } = await stat(pathOf(id));
        const header = await readSegmentHeader(fd, id);
        if (header === undefined) yield { kind: "unreadable", offset: 0, size, isRefused: true };
        else yield* scanSegment(fd, header.salt, size);
      } catch (error) {
        if (!isMissing(error)) throw error;
      } finally {
        await close(fd);
      }
    },

    async allocatedBytes(id) {
      try {
        const { blocks } = await stat(pathOf(id));
        return blocks * 512;
      } catch (error) {
        if (isMissing(error)) return 0;
        throw error;
      }
    },

    async remove(id) {
      await unlinkIfThere(pathOf(id));
      await folders.sync(folder);
    },
  };
}

/** @throws Error when another version of Image Store wrote the segment */
async function readSegmentHeader(fd: number, id: string): Promise<SegmentHeader | undefined> {
  const block = Buffer.alloc(BLOCK_BYTES);
  try {
    await readFully(fd, block, 0);
  } catch (error) {
    if (!isDiskFailure(error)) throw error;
  }
  if (isOfOtherVersion(block))
    throw new Error(`Segment ${id} was written by another version of Image Store. Use that version, or a later one.`);
  return decodeSegmentHeader(block, id);
}
