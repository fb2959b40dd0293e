import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A record as docs/segments.md describes it, read without the store's own code. */
export interface SegmentRecord {
  /** The file that it is in. */
  readonly path: string;
  readonly key: string;
  readonly bytes: Buffer;
  /** Whether they are what was written. */
  readonly sound: boolean;
}

export function readSegments(blobsFolder: string): SegmentRecord[] {
  const folder = join(blobsFolder, "segments");
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => readSegment(join(folder, name)));
}

function readSegment(path: string): SegmentRecord[] {
  const segment = readIfThere(path);
  const records: SegmentRecord[] = [];
  if (segment.toString("latin1", 0, 8) !== "imgsegm1") return records;
  const salt = segment.subarray(24, 56);
  for (let at = 4096; at + 128 <= segment.length; ) {
    const header = segment.subarray(at, at + 128);
    const check = sha256(salt, header.subarray(0, 112)).subarray(0, 16);
    const begins = header.toString("latin1", 0, 8) === "imgrecd1" && header.readBigUInt64LE(16) === BigInt(at);
    if (!begins || !check.equals(header.subarray(112))) {
      at += 64;
      continue;
    }
    const length = header.readUInt32LE(8);
    const bytes = segment.subarray(at + 128, at + 128 + length);
    const digest = header.toString("hex", 32, 64);
    const sound = bytes.length === length && sha256(bytes).toString("hex") === digest;
    records.push({ path, key: `${digest}.${header.toString("hex", 64, 72)}`, bytes, sound });
    at += Math.ceil((128 + length) / 64) * 64;
  }
  return records;
}

/** A server that compacts may remove it at any time. */
function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hasher = new Bun.CryptoHasher("sha256");
  for (const part of parts) hasher.update(part);
  return hasher.digest();
}
