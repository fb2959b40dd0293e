import { beforeEach, describe, expect, test } from "bun:test";
import { open as openFile, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { claimUnrecorded } from "../../../src/workers/claim-unrecorded.ts";
import { sweepCondemned } from "../../../src/workers/sweep.ts";
import { useSweptStore } from "./swept-store.ts";

const { folder, catalog, blobs, over, running, storeImage, deleteImage, rows, restart } = useSweptStore();

const segmentsFolder = () => join(folder(), "blobs", "segments");
const segmentPath = async () => join(segmentsFolder(), (await readdir(segmentsFolder())).toSorted()[0] as string);
const overwrite = async (at: number, bytes: Uint8Array) => {
  const file = await openFile(await segmentPath(), "r+");
  await file.write(bytes, 0, bytes.length, at);
  await file.close();
};
const sweep = async () => {
  await claimUnrecorded({ catalog: catalog(), blobs: blobs() }, running);
  await sweepCondemned({ catalog: catalog(), blobs: blobs() }, running);
};
const unreadable = async () => {
  const told: string[] = [];
  await Array.fromAsync(blobs().list(({ where }) => told.push(where)));
  return told;
};
const offsetOf = (location: string) => Number(location.split(":")[2]);

describe("sweeping unreadable bytes in a segment", () => {
  beforeEach(restart);

  test("removes those of a torn write that has no row", async () => {
    const kept = await storeImage("kept");
    const torn = Buffer.from("torn-pattern-".repeat(500));
    await overwrite(offsetOf(kept.location) + 4096 + 128, torn);
    await restart();
    await sweep();
    expect((await readFile(await segmentPath())).includes("torn-pattern")).toBe(false);
    expect(await unreadable()).toEqual([]);
    await blobs().read(kept.location, { size: 100 });
    expect(await rows()).toEqual({ [kept.key]: "live" });
  });

  test("keeps those that an image's row names, and removes them with it", async () => {
    const hit = await storeImage("hit");
    await overwrite(offsetOf(hit.location) + 40, Buffer.from("damage"));
    await restart();
    const before = await readFile(await segmentPath());
    await sweep();
    expect(await readFile(await segmentPath())).toEqual(before);
    expect(await unreadable()).toHaveLength(1);
    await deleteImage("hit");
    await sweepCondemned({ catalog: catalog(), blobs: blobs() }, over);
    expect(await unreadable()).toEqual([]);
  });

  test("keeps those in a block that another record shares", async () => {
    const [first, second] = await Promise.all([storeImage("first"), storeImage("second")]);
    const at = Math.min(offsetOf(first.location), offsetOf(second.location));
    // One unit, shorter than a header, right before where another batch may begin.
    await overwrite(at + 4096 - 64, Buffer.from("x"));
    await restart();
    await sweep();
    expect(await unreadable()).toEqual([]);
    for (const { location } of [first, second]) await blobs().read(location, { size: 100 });
  });

  test("keeps them while the store is held", async () => {
    const kept = await storeImage("kept");
    await overwrite(offsetOf(kept.location) + 4096, Buffer.from("torn"));
    await restart();
    await catalog().write({ type: "hold", id: "reader", seconds: 60 });
    await sweep();
    expect(await unreadable()).toHaveLength(1);
    await catalog().write({ type: "releaseHold", id: "reader" });
    await sweep();
    expect(await unreadable()).toEqual([]);
  });
});
