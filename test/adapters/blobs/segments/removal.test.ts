import { describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { stat } from "node:fs/promises";
import { openHolePuncher } from "../../../../src/adapters/blobs/segments/punch-hole.ts";
import { patterned, putBlob } from "../../../blobs.ts";
import { expectCode } from "../../../errors.ts";
import { KIBIBYTE, listAll, overwrite, placeOf, readAll, useSegmentFolder } from "./segment-folder.ts";

const { openStore, segmentPaths, onlySegment } = useSegmentFolder();
const contains = async (pattern: Uint8Array) =>
  (await Promise.all((await segmentPaths()).map((path) => fs.promises.readFile(path)))).some((bytes) =>
    bytes.includes(pattern),
  );

describe("removing from a segment", () => {
  test("remove erases the bytes and frees their blocks", async () => {
    await using store = await openStore();
    const secret = patterned(300 * KIBIBYTE);
    const kept = await putBlob(store, patterned(100));
    const { location } = await putBlob(store, secret);
    const after = await putBlob(store, patterned(200));
    const path = await onlySegment();
    const allocated = (await stat(path)).blocks * 512;
    expect(await contains(secret.subarray(5000, 5064))).toBe(true);
    await store.remove(location);
    for (const at of [0, 5000, secret.length - 64]) expect(await contains(secret.subarray(at, at + 64))).toBe(false);
    expect(await contains(Buffer.from(location.slice(-16), "hex"))).toBe(false);
    expect((await stat(path)).blocks * 512).toBeLessThan(allocated - 290 * KIBIBYTE);
    expect(await listAll(store)).toEqual({ found: [kept.location, after.location], unreadable: [] });
    expect(await readAll(store, kept.location, 100)).toEqual(patterned(100));
  });

  test("remove overwrites with zeros where the file system cannot punch holes", async () => {
    await using store = await openStore();
    const { location } = await putBlob(store, patterned(2500));
    const path = await onlySegment();
    const fd = fs.openSync(path, "r+");
    openHolePuncher(() => -1)(fd, placeOf(location).offset, 1_000_000);
    fs.closeSync(fd);
    expect(await listAll(store)).toEqual({ found: [], unreadable: [] });
    expect((await stat(path)).size).toBeLessThan(10_000);
  });

  test("removing the last blob deletes the segment and its cached bytes", async () => {
    await using store = await openStore({ segmentBytes: 8 * KIBIBYTE, cacheBytes: 1024 * KIBIBYTE });
    const { location } = await putBlob(store, patterned(8000));
    const other = await putBlob(store, patterned(100));
    for (let time = 0; time < 4; time++) await readAll(store, location, 8000);
    expect(await segmentPaths()).toHaveLength(2);
    await store.remove(location);
    expect(await segmentPaths()).toHaveLength(1);
    await expectCode(store.read(location, { size: 8000 }), "blob_damaged");
    expect(await readAll(store, other.location, 100)).toEqual(patterned(100));
  });

  test("a segment that still has unreadable records is not deleted", async () => {
    await using store = await openStore({ segmentBytes: 16 * KIBIBYTE });
    const [hit, other] = await Promise.all([putBlob(store, patterned(8000)), putBlob(store, patterned(8001))]);
    overwrite(await onlySegment(), placeOf(hit.location).offset, Buffer.from("x"));
    await store.remove(other.location);
    expect(await segmentPaths()).toHaveLength(1);
  });
});
