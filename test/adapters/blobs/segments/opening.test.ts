import { describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { BLOCK_BYTES, segmentFileName } from "../../../../src/adapters/blobs/segments/format.ts";
import { patterned, putBlob } from "../../../blobs.ts";
import { expectCode } from "../../../errors.ts";
import { rejectionOf } from "../../../waiting.ts";
import { listAll, overwrite, placeOf, readAll, useSegmentFolder } from "./segment-folder.ts";

const { folder, openStore, segmentPaths, onlySegment, pathOf } = useSegmentFolder();
const running = new AbortController().signal;

describe("opening segments", () => {
  test("new blobs are appended after the existing ones", async () => {
    const locations: string[] = [];
    for (let start = 0; start < 3; start++) {
      await using store = await openStore();
      locations.push((await putBlob(store, patterned(500))).location);
    }
    await using store = await openStore();
    expect(new Set(locations.map((location) => placeOf(location).segment)).size).toBe(1);
    for (const location of locations) expect(await readAll(store, location, 500)).toEqual(patterned(500));
    expect((await listAll(store)).found).toEqual(locations);
  });

  test("a torn tail is reported, left in place, and not overwritten", async () => {
    let whole: { location: string };
    {
      await using store = await openStore();
      whole = await putBlob(store, patterned(500));
    }
    overwrite(await onlySegment(), 3 * BLOCK_BYTES, patterned(300));
    await using store = await openStore();
    const next = await putBlob(store, patterned(600));
    expect(placeOf(next.location).segment).not.toBe(placeOf(whole.location).segment);
    const { found, unreadable } = await listAll(store);
    expect(found).toEqual([whole.location, next.location]);
    expect(unreadable).toMatchObject([
      {
        where: `segment ${placeOf(whole.location).segment} at 12288`,
        size: 300,
        extent: { path: pathOf(whole.location), offset: 12288, length: 300 },
      },
    ]);
  });

  test("a truncated record is listed, so the sweeper can remove its rest", async () => {
    let cut: { location: string };
    {
      await using store = await openStore();
      cut = await putBlob(store, patterned(5000));
    }
    fs.truncateSync(await onlySegment(), BLOCK_BYTES + 3000);
    await using store = await openStore();
    await expectCode(store.read(cut.location, { size: 5000 }), "blob_damaged");
    const next = await putBlob(store, patterned(10));
    expect((await listAll(store)).found).toEqual([cut.location, next.location]);
    await store.remove(cut.location);
    await store.compact(async () => [], running);
    expect((await listAll(store)).found).toEqual([next.location]);
    expect(await segmentPaths()).toHaveLength(1);
  });

  test("a segment without records, as a crash leaves it, is removed", async () => {
    fs.mkdirSync(join(folder(), "segments"));
    const path = join(folder(), "segments", segmentFileName(Bun.randomUUIDv7()));
    fs.writeFileSync(path, "");
    await using store = await openStore();
    expect(await segmentPaths()).toEqual([]);
    await putBlob(store, patterned(10));
  });

  test("a segment of a newer format version is refused", async () => {
    {
      await using store = await openStore();
      await putBlob(store, patterned(10));
    }
    overwrite(await onlySegment(), 7, Buffer.from("2"));
    expect((await rejectionOf(openStore())).message).toContain("another version");
  });
});
