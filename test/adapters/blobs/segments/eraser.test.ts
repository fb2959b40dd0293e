import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { serveEraser } from "../../../../src/adapters/blobs/segments/eraser.ts";
import { createEraserThread } from "../../../../src/adapters/blobs/segments/eraser-thread.ts";
import {
  ALIGNMENT,
  addressOf,
  encodeRecordHeader,
  type RecordAddress,
  type RecordHeader,
  recordBytes,
} from "../../../../src/adapters/blobs/segments/format.ts";
import { serveHere } from "../../../served-thread.ts";
import { newFolder, removeFolder } from "../../../temporary-folder.ts";
import { rejectionOf } from "../../../waiting.ts";

const SEGMENT = "00000000-0000-7000-8000-000000000000";
const LENGTH = 500;
const GONE = { records: 0, bytes: 0 };

let folder: string;
let path: string;
let addresses: readonly RecordAddress[];
/** Three records, one after the other, of bytes that are no zeros. */
beforeEach(async () => {
  folder = await newFolder("eraser");
  path = join(folder, "segment");
  const records = [0, 1, 2].map((index): RecordHeader => {
    const key = `${String(index).repeat(64)}.${String(index).repeat(16)}`;
    return { offset: index * recordBytes(LENGTH), length: LENGTH, checksum: 0, writtenAt: 0, key };
  });
  addresses = records.map((record) => addressOf(SEGMENT, record));
  const salt = Buffer.alloc(32);
  const padding = Buffer.alloc(
    recordBytes(LENGTH) - LENGTH - encodeRecordHeader(records[0] as RecordHeader, salt).length,
  );
  const parts = records.flatMap((record) => [encodeRecordHeader(record, salt), Buffer.alloc(LENGTH, "x"), padding]);
  await Bun.write(path, Buffer.concat(parts));
});
afterEach(() => removeFolder(folder));

const isZero = async (from: number, to: number) =>
  (await Bun.file(path).bytes()).subarray(from, to).every((byte) => byte === 0);

/** What a thread that dies at its first message is. */
const dyingWorker = () =>
  new Worker(URL.createObjectURL(new Blob(["addEventListener('message', () => { throw new Error('enough'); })"])));

describe("segment eraser", () => {
  test("erase overwrites the extent with zeros, returns what was there, and can be repeated", async () => {
    using thread = serveHere(serveEraser);
    const [first, second] = addresses as [RecordAddress, RecordAddress];
    const other = { ...second, nonce: "f".repeat(16) };
    expect(await thread.ask({ path, addresses: [first] })).toEqual({
      result: { records: 1, bytes: recordBytes(LENGTH) },
    });
    expect(await isZero(0, recordBytes(LENGTH))).toBe(true);
    expect(await isZero(second.offset, second.offset + ALIGNMENT)).toBe(false);
    expect(await thread.ask({ path, addresses: [first] })).toEqual({ result: GONE });
    // Bytes behind a header that is not theirs go, and count for nothing.
    expect(await thread.ask({ path, addresses: [other] })).toEqual({ result: GONE });
    expect(await isZero(0, 2 * recordBytes(LENGTH))).toBe(true);
    const end = 3 * recordBytes(LENGTH);
    const gap = { segment: SEGMENT, offset: end - ALIGNMENT * 2, length: ALIGNMENT * 2 };
    expect(await thread.ask({ path, addresses: [gap] })).toEqual({ result: GONE });
    expect(await isZero(end - ALIGNMENT * 2, end)).toBe(true);
    expect(await isZero(2 * recordBytes(LENGTH), end)).toBe(false);
    expect(await thread.ask({ path: join(folder, "gone"), addresses })).toEqual({ result: GONE });
    await mkdir(join(folder, "no-file"));
    expect(await thread.ask({ path: join(folder, "no-file"), addresses })).toMatchObject({
      error: { message: expect.stringContaining("EISDIR"), code: "EISDIR", syscall: "open" },
    });
  });

  test("the eraser thread answers each request and passes on file system errors", async () => {
    await mkdir(join(folder, "no-file"));
    using thread = createEraserThread();
    const failed = rejectionOf(thread.erase(join(folder, "no-file"), addresses));
    const [one, another] = [thread.erase(path, addresses.slice(0, 2)), thread.erase(path, addresses)];
    expect(await failed).toMatchObject({ code: "EISDIR", syscall: "open" });
    expect(await one).toEqual({ records: 2, bytes: 2 * recordBytes(LENGTH) });
    expect(await another).toEqual({ records: 1, bytes: recordBytes(LENGTH) });
  });

  test("when the eraser thread dies, pending requests fail and a new thread starts", async () => {
    const workers = [dyingWorker];
    using thread = createEraserThread(() => (workers.pop() ?? realWorker)());
    const waiting = await Promise.allSettled([thread.erase(path, addresses), thread.erase(path, addresses)]);
    for (const outcome of waiting) expect(outcome).toMatchObject({ status: "rejected" });
    expect(await thread.erase(path, addresses)).toMatchObject({ records: 3 });
  });
});

const realWorker = () =>
  new Worker(new URL("../../../../src/adapters/blobs/segments/eraser-worker.ts", import.meta.url).href);
