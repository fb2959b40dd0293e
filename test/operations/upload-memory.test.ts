import { describe, expect, test } from "bun:test";
import { createUploadMemory, type UploadMemory, type UploadReservation } from "../../src/operations/upload-memory.ts";

const MEBIBYTE = 1024 * 1024;
const LARGE = 50 * MEBIBYTE;

/** An upload that has counted as slow since its client paused. */
function slowUpload(memory: UploadMemory): UploadReservation {
  const upload = memory.reserve(LARGE);
  upload.idles();
  return upload;
}

/** Whether the upload may take its next chunk, after one that the runtime had collected. */
async function mayGrow(upload: UploadReservation): Promise<{ readonly waits: boolean; readonly done: () => boolean }> {
  upload.took(MEBIBYTE);
  const room = upload.makeRoom();
  let done = room === undefined;
  void room?.then(() => (done = true));
  await Bun.sleep(0);
  return { waits: !done, done: () => done };
}

const isRefused = (memory: UploadMemory): boolean => {
  try {
    memory.reserve(LARGE)[Symbol.dispose]();
    return false;
  } catch (error) {
    expect(error).toMatchObject({ code: "busy" });
    return true;
  }
};

describe("memory for uploads", () => {
  test("takes large uploads of 3 MiB each, and one more when one has ended", () => {
    const memory = createUploadMemory(7 * MEBIBYTE);
    const [first] = [memory.reserve(LARGE), memory.reserve(undefined)];
    expect(isRefused(memory)).toBe(true);
    first?.[Symbol.dispose]();
    expect(isRefused(memory)).toBe(false);
  });

  test("lets one upload through a budget that is smaller", () => {
    const memory = createUploadMemory(MEBIBYTE);
    using _ = memory.reserve(LARGE);
    expect(isRefused(memory)).toBe(true);
  });

  test("counts an upload whose client pauses as 1.5 MiB", () => {
    const memory = createUploadMemory(10.5 * MEBIBYTE);
    const slow = Array.from({ length: 5 }, () => slowUpload(memory));
    expect(isRefused(memory)).toBe(false);
    slow.push(slowUpload(memory));
    expect(isRefused(memory)).toBe(true);
  });

  test("an upload that becomes fast waits until others have ended, in their order, before new uploads", async () => {
    const memory = createUploadMemory(6 * MEBIBYTE);
    const slow = [slowUpload(memory), slowUpload(memory)] as const;
    const fast = memory.reserve(LARGE);
    const [first, second] = [await mayGrow(slow[0]), await mayGrow(slow[1])];
    expect([first.waits, second.waits]).toEqual([true, true]);
    expect(isRefused(memory)).toBe(true);
    fast[Symbol.dispose]();
    await Bun.sleep(0);
    expect([first.done(), second.done()]).toEqual([true, true]);
    slow[0][Symbol.dispose]();
    expect(isRefused(memory)).toBe(false);
  });

  test("one upload may grow where all are slow and nothing is left, and the next when it has ended", async () => {
    const memory = createUploadMemory(4.5 * MEBIBYTE);
    const [one, two] = [slowUpload(memory), slowUpload(memory)] as const;
    // Grows past the budget of two slow ones and itself only where it is alone.
    const tight = createUploadMemory(3 * MEBIBYTE);
    const alone = slowUpload(tight);
    expect((await mayGrow(alone)).waits).toBe(false);
    expect((await mayGrow(one)).waits).toBe(false);
    const later = await mayGrow(two);
    expect(later.waits).toBe(true);
    one[Symbol.dispose]();
    await Bun.sleep(0);
    expect(later.done()).toBe(true);
  });

  test("an upload without bytes leaves nothing counted", async () => {
    const memory = createUploadMemory(2 * MEBIBYTE);
    memory.reserve(0)[Symbol.dispose]();
    // It is the only one, so it may grow past the budget.
    expect((await mayGrow(slowUpload(memory))).waits).toBe(false);
  });

  test("an upload that ends while it waits leaves its place to the next", async () => {
    const memory = createUploadMemory(6 * MEBIBYTE);
    const [one, two] = [slowUpload(memory), slowUpload(memory)] as const;
    const fast = memory.reserve(LARGE);
    const earlier = await mayGrow(one);
    const later = await mayGrow(two);
    expect(earlier.waits).toBe(true);
    one[Symbol.dispose]();
    await Bun.sleep(0);
    // A late timer changes nothing.
    one.idles();
    expect([later.waits, earlier.done()]).toEqual([true, true]);
    fast[Symbol.dispose]();
    await Bun.sleep(0);
    expect(later.done()).toBe(true);
    two[Symbol.dispose]();
    expect(isRefused(memory)).toBe(false);
  });

  test("never counts more than the budget when one upload has grown, and all uploads end, in any order", async () => {
    for (let round = 0; round < 50; round++) {
      const budget = 12 * MEBIBYTE;
      const memory = createUploadMemory(budget);
      let ended = 0;
      const run = async (): Promise<void> => {
        for (;;) {
          let upload: UploadReservation;
          try {
            upload = memory.reserve(LARGE);
          } catch {
            await Bun.sleep(0);
            continue;
          }
          for (let chunk = 0; chunk < 6; chunk++) {
            await upload.makeRoom();
            if (Math.random() < 0.3) upload.idles();
            await Bun.sleep(0);
            upload.took(Math.random() < 0.5 ? MEBIBYTE : 1000);
          }
          upload[Symbol.dispose]();
          ended++;
          return;
        }
      };
      await Promise.all(Array.from({ length: 12 }, run));
      expect(ended).toBe(12);
      // All was given back: as many fit as at first.
      const again = Array.from({ length: 4 }, () => memory.reserve(LARGE));
      expect(isRefused(memory)).toBe(true);
      for (const upload of again) upload[Symbol.dispose]();
    }
  });
});
