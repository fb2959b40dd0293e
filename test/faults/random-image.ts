import { randomBytes } from "node:crypto";
import { crc32, deflateSync } from "node:zlib";

const SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");
const WIDTH = 4;
const HEIGHT = 3;

/** A valid PNG unlike any other: a few pixels, and random bytes in a chunk of its own that readers must ignore. */
export function randomImage(
  paddingBytes: number,
  padding: Uint8Array = randomBytes(Math.max(paddingBytes, 16)),
): { bytes: Buffer<ArrayBuffer>; sha256: string } {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(WIDTH, 0);
  header.writeUInt32BE(HEIGHT, 4);
  header.set([8, 2], 8); // 8 bits a channel, RGB
  const rows = Buffer.alloc(HEIGHT * (1 + WIDTH * 3));
  const bytes = Buffer.concat([
    SIGNATURE,
    chunk("IHDR", header),
    chunk("raNd", padding),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
  return { bytes, sha256: new Bun.CryptoHasher("sha256").update(bytes).digest("hex") };
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}
