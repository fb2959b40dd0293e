import { describe, expect, test } from "bun:test";
import {
  type ZipFile,
  zipEnd,
  zipEndSize,
  zipEntry,
  zipEntrySize,
  zipHeader,
  zipHeaderSize,
} from "../../src/domain/zip.ts";

const LIMIT = 2 ** 32 - 1;
const fileOf = (name: string, size: number): ZipFile => ({
  name: Buffer.from(name),
  size,
  modifiedAt: Date.parse("2026-07-14T09:30:01.000Z"),
  crc32: 0,
});
const headerAt = (time: string) => Buffer.from(zipHeader({ ...fileOf("", 0), modifiedAt: Date.parse(time) }));
const timesIn = (header: Buffer) => [header.readUInt16LE(10), header.readUInt16LE(12), header.readUInt32LE(35)];

describe("a ZIP archive", () => {
  test("has parts of the sizes that are planned, with and without Zip64", () => {
    const numbers = [0, 1, LIMIT - 1, LIMIT, LIMIT + 1, 2 ** 45];
    for (const size of numbers)
      for (const start of numbers) {
        const file = fileOf("lake ä.jpg", size);
        const sizes = { nameSize: file.name.length, size };
        expect(zipHeader(file).length).toBe(zipHeaderSize(sizes));
        expect(zipEntry(file, start).length).toBe(zipEntrySize(sizes, start));
        for (const files of [0, 65_534, 65_535, 65_536]) {
          const directory = { start, size, files };
          expect(zipEnd(directory).length).toBe(zipEndSize(directory));
        }
      }
  });

  test("has times in UTC, to the second, and none that its fields can't hold", () => {
    const seconds = Date.parse("2026-07-14T09:30:01.999Z") / 1000;
    expect(timesIn(headerAt("2026-07-14T09:30:01.999Z"))).toEqual([
      (9 << 11) | (30 << 5),
      (46 << 9) | (7 << 5) | 14,
      Math.floor(seconds),
    ]);
    expect(timesIn(headerAt("1960-01-01T00:00:00Z"))).toEqual([0, 33, 0]);
    expect(timesIn(headerAt("2200-01-01T00:00:00Z"))).toEqual([0xbf7d, 0xff9f, 2 ** 31 - 1]);
  });
});
