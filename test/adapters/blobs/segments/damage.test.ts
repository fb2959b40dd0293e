import { describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { BLOCK_BYTES, encodeRecordHeader, type RecordHeader } from "../../../../src/adapters/blobs/segments/format.ts";
import { scanSegment } from "../../../../src/adapters/blobs/segments/scan.ts";
import { patterned, putBlob } from "../../../blobs.ts";
import { expectCode } from "../../../errors.ts";
import { KIBIBYTE, listAll, overwrite, placeOf, readAll, useSegmentFolder } from "./segment-folder.ts";

const { openStore, onlySegment, pathOf } = useSegmentFolder();

describe("damage in a segment", () => {
  const cases = [
    { what: "header", at: 0 },
    { what: "length", at: 8 },
    { what: "nonce", at: 66 },
    { what: "first byte", at: 128 },
    { what: "last byte", at: 128 + 4999 },
  ];
  test.each(cases)("a damaged $what is blob_damaged and affects no other blob", async ({ at }) => {
    await using store = await openStore();
    const [first, hit, last] = await Promise.all([
      putBlob(store, patterned(5000)),
      putBlob(store, patterned(5000)),
      putBlob(store, patterned(5000)),
    ]);
    const path = await onlySegment();
    const position = placeOf(hit.location).offset + at;
    const before = fs.readFileSync(path)[position] as number;
    overwrite(path, position, Uint8Array.of(before ^ 1));
    await expectCode(store.read(hit.location, { size: 5000 }), "blob_damaged");
    await expectCode(store.read(hit.location, { size: 5000, range: { start: 10, end: 20 } }), "blob_damaged");
    for (const { location } of [first, last]) expect(await readAll(store, location, 5000)).toEqual(patterned(5000));
    const { found } = await listAll(store);
    expect(found).toContain(first.location);
    expect(found).toContain(last.location);
  });

  test("a truncated or missing segment affects only the blobs that were in the lost part", async () => {
    await using store = await openStore({ segmentBytes: 8 * KIBIBYTE });
    const blobs = [];
    for (let count = 0; count < 3; count++) blobs.push(await putBlob(store, patterned(8000)));
    const [cut, gone, whole] = blobs.map(({ location }) => location) as [string, string, string];
    fs.truncateSync(pathOf(cut), BLOCK_BYTES + 100);
    fs.rmSync(pathOf(gone));
    await expectCode(store.read(cut, { size: 8000 }), "blob_damaged");
    await expectCode(store.read(gone, { size: 8000 }), "blob_damaged");
    expect(await readAll(store, whole, 8000)).toEqual(patterned(8000));
    await store.remove(gone);
  });

  test("bytes in an image that look like a record are not read as one", async () => {
    await using store = await openStore();
    const innocent = await putBlob(store, patterned(200));
    const path = await onlySegment();
    // The closest that a client can come: all is right but the salt, which only the store knows. The second one has that too.
    const salt = fs.readFileSync(path).subarray(24, 56);
    const offset = 2 * BLOCK_BYTES + 128 + 128;
    const header: RecordHeader = {
      offset,
      length: 100,
      checksum: 0,
      writtenAt: 0,
      key: `${"a".repeat(64)}.${"b".repeat(16)}`,
    };
    const posing = Buffer.concat([Buffer.alloc(128), encodeRecordHeader(header, Buffer.alloc(32)), patterned(1000)]);
    const { location } = await putBlob(store, new Uint8Array(posing));
    expect(placeOf(location).offset).toBe(2 * BLOCK_BYTES);
    expect(await listAll(store)).toEqual({ found: [innocent.location, location], unreadable: [] });
    const posed = `segment:${placeOf(location).segment}:${offset}:100:${"b".repeat(16)}`;
    await expectCode(store.read(posed, { size: 100 }), "blob_damaged");
    // A copy of a whole segment's record is where it should not be, whatever its salt.
    const copied = new Uint8Array(Buffer.concat([encodeRecordHeader({ ...header, offset: 0 }, salt), patterned(100)]));
    await putBlob(store, copied);
    expect((await listAll(store)).found).toHaveLength(3);
  });
});

test("an unreadable record is reported, is not claimed by the sweeper, and does not hide later records", async () => {
  // Memory that is not there reads like a bad sector.
  const fd = fs.openSync("/proc/self/mem", "r");
  const findings = await Array.fromAsync(scanSegment(fd, Buffer.alloc(32), 4 * BLOCK_BYTES));
  fs.closeSync(fd);
  expect(findings).toEqual([{ kind: "unreadable", offset: BLOCK_BYTES, size: 3 * BLOCK_BYTES, isRefused: true }]);
});
