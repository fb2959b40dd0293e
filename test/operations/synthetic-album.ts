import { crc32 } from "node:zlib";
import type { RecordChecksums } from "../../src/domain/maintenance.ts";

import { createZipSlots, type ZipBytesDeps } from "../../src/operations/zip-bytes.ts";
import type { ImageFile } from "../../src/ports.ts";
import { digest } from "../catalog-changes.ts";

const NEWEST = Date.parse("2026-07-14T09:30:01.000Z");
const CHUNK = new Uint8Array(1024 * 1024);

/** Its bytes are zeros, but for the number at their start. */
export function syntheticImage(index: number, more: Partial<ImageFile> = {}): ImageFile {
  const name = `image ${String(index).padStart(7, "0")}.jpg`;
  const id = `i${index}`;
  const size = more.size ?? 16;
  const file = { id, name, contentType: "image/jpeg", size, createdAt: NEWEST, ...more } as const;
  return { sha256: digest(name), blobKey: `k${index}`, location: `${index}`, crc32: checksumOf(index, size), ...file };
}

const checksums = new Map<string, number>();
function checksumOf(index: number, size: number): number {
  if (size <= CHUNK.length) return crc32(partOf(index, 0, size));
  const key = `${index} ${size}`;
  let checksum = checksums.get(key);
  if (checksum !== undefined) return checksum;
  checksum = 0;
  for (let start = 0; start < size; start += CHUNK.length)
    checksum = crc32(partOf(index, start, Math.min(start + CHUNK.length, size)), checksum);
  checksums.set(key, checksum);
  return checksum;
}

function partOf(index: number, start: number, end: number): Uint8Array<ArrayBuffer> {
  if (start >= 4 && end - start <= CHUNK.length) return CHUNK.subarray(0, end - start);
  const bytes = Buffer.alloc(Math.max(end, 4));
  bytes.writeUInt32BE(index);
  return new Uint8Array(bytes.subarray(start, end));
}

/** An album whose bytes are made when they are read. */
export function syntheticAlbum(initial: readonly ImageFile[]) {
  let images = [...initial];
  const reads: string[] = [];
  const recorded: { key: string; crc32: number }[] = [];
  const deps: ZipBytesDeps = {
    zipSlots: createZipSlots(),
    catalog: {
      newestImageAt: async () => images.reduce((newest, { createdAt }) => Math.max(newest, createdAt), 0),
      async imageFiles({ after, createdUntil, limit }) {
        const first = images.findIndex(({ name }) => name > after);
        const behind = first === -1 ? [] : images.slice(first, first + 2 * limit);
        return behind.filter(({ createdAt }) => createdAt <= createdUntil).slice(0, limit);
      },
      contentById: async (id) => {
        const image = images.find((one) => one.id === id);
        return image && ({ image, location: image.location } as never);
      },
      async write(change) {
        for (const { key, crc32: checksum } of (change as unknown as RecordChecksums).blobs) {
          recorded.push({ key, crc32: checksum });
          images = images.map((image) => (image.blobKey === key ? { ...image, crc32: checksum } : image));
        }
        return null as never;
      },
    },
    blobs: {
      async read(location, { size, range = { start: 0, end: size } }) {
        reads.push(location);
        const index = Number(location);
        if (range.end - range.start <= CHUNK.length) return partOf(index, range.start, range.end);
        let { start } = range;
        return new ReadableStream<Uint8Array<ArrayBuffer>>(
          {
            pull(controller) {
              const end = Math.min(start + CHUNK.length, range.end);
              controller.enqueue(partOf(index, start, end));
              start = end;
              if (start === range.end) controller.close();
            },
          },
          { highWaterMark: 0 },
        );
      },
    },
  };
  return {
    deps,
    /** Locations. */
    reads,
    recorded,
    change(by: (images: readonly ImageFile[]) => readonly ImageFile[]) {
      images = [...by(images)];
    },
  };
}

export const NEVER = new AbortController().signal;
