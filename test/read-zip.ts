import { expect } from "bun:test";

/** The files of an archive without Zip64, by its directory. What stands before each file must say the same. */
export function readZip(archive: Buffer): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>();
  const end = archive.length - 22;
  expect(archive.readUInt32LE(end)).toBe(0x06054b50);
  let at = archive.readUInt32LE(end + 16);
  for (let count = archive.readUInt16LE(end + 10); count > 0; count--) {
    const fields = archive.subarray(at + 4 + 2, at + 30);
    const name = archive.subarray(at + 46, at + 46 + archive.readUInt16LE(at + 28));
    const start = archive.readUInt32LE(at + 42);
    // Bit 3: CRC-32 and sizes come behind the file.
    const said = archive.readUInt16LE(start + 6) & 8 ? 10 : 24;
    expect(archive.subarray(start + 4, start + 4 + said).equals(fields.subarray(0, said))).toBe(true);
    const headerSize = 30 + archive.readUInt16LE(start + 26) + archive.readUInt16LE(start + 28);
    const bytes = archive.subarray(start + headerSize, start + headerSize + archive.readUInt32LE(at + 24));
    expect(Bun.hash.crc32(bytes)).toBe(archive.readUInt32LE(at + 16));
    files.set(name.toString(), bytes);
    at += 46 + name.length + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  expect(at).toBe(end);
  return files;
}
