import { describe, expect, test } from "bun:test";
import type { BlobStore } from "../../../src/ports.ts";
import { claimUnrecorded } from "../../../src/workers/claim-unrecorded.ts";
import { sweepCondemned } from "../../../src/workers/sweep.ts";
import { imageNamed, put } from "../../catalog-changes.ts";
import { HOUR, useSweptStore } from "./swept-store.ts";

const { catalog, blobs, album, failures, over, running, storeImage, deleteImage, storedKeys, rows, committed } =
  useSweptStore();

describe("sweeping condemned blobs", () => {
  test("removes bytes and rows after the grace period, and no live blob", async () => {
    const gone = await storeImage("gone");
    const kept = await storeImage("kept");
    await deleteImage("gone");

    expect(await sweepCondemned({ catalog: catalog(), blobs: blobs() }, running)).toBe(0);
    expect(await rows()).toEqual({ [gone.key]: "condemned", [kept.key]: "live" });
    expect(await storedKeys()).toHaveLength(2);

    expect(await sweepCondemned({ catalog: catalog(), blobs: blobs() }, over)).toBe(1);
    expect(await rows()).toEqual({ [kept.key]: "live" });
    expect(await storedKeys()).toEqual([kept.key]);
    expect(await sweepCondemned({ catalog: catalog(), blobs: blobs() }, over)).toBe(0);
  });

  test("takes several transactions", async () => {
    const images = Array.from({ length: 450 }, async (_, index) =>
      imageNamed(`i${index}`, { blob: await committed() }),
    );
    await put(catalog(), album(), await Promise.all(images));
    await catalog().write({ type: "deleteAlbum", albumId: album().id, recursive: true });
    expect(await sweepCondemned({ catalog: catalog(), blobs: blobs() }, over)).toBe(450);
    expect(await rows()).toEqual({});
    expect(await storedKeys()).toEqual([]);
  });

  test("completes interrupted removals first", async () => {
    for (const alreadyRemoved of [false, true]) {
      const { location } = await storeImage("i");
      await deleteImage("i");
      await catalog().write({ type: "beginBlobDeletion", grace: -HOUR, limit: 10 });
      if (alreadyRemoved) await blobs().remove(location);
      expect(await sweepCondemned({ catalog: catalog(), blobs: blobs() }, running)).toBe(1);
      expect(await rows()).toEqual({});
    }
  });

  test("reports a blob that cannot be removed, keeps it deleting, and continues", async () => {
    const stuck = await storeImage("stuck");
    for (let index = 0; index < 5; index++) await storeImage(`i${index}`);
    await catalog().write({ type: "deleteAlbum", albumId: album().id, recursive: true });
    const broken: BlobStore = {
      ...blobs(),
      remove: (location) =>
        location === stuck.location ? Promise.reject(new Error("stuck")) : blobs().remove(location),
    };
    expect(await sweepCondemned({ catalog: catalog(), blobs: broken }, over)).toBe(5);
    expect(failures()).toEqual([new Error("stuck")]);
    expect(await rows()).toEqual({ [stuck.key]: "deleting" });
    expect(await sweepCondemned({ catalog: catalog(), blobs: blobs() }, over)).toBe(1);
    expect(await rows()).toEqual({});
  });

  test("removes nothing while the store is held", async () => {
    await storeImage("i");
    await deleteImage("i");
    const unrecorded = await committed();
    await catalog().write({ type: "hold", id: "backup", seconds: 60 });
    await claimUnrecorded({ catalog: catalog(), blobs: blobs() }, over);
    expect(await sweepCondemned({ catalog: catalog(), blobs: blobs() }, over)).toBe(0);
    expect(await storedKeys()).toHaveLength(2);
    await catalog().write({ type: "releaseHold", id: "backup" });
    await claimUnrecorded({ catalog: catalog(), blobs: blobs() }, over);
    expect(await sweepCondemned({ catalog: catalog(), blobs: blobs() }, over)).toBe(2);
    expect(await storedKeys()).not.toContain(unrecorded.key);
  });
});
