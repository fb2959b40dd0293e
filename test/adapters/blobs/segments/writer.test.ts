import { describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { BLOCK_BYTES } from "../../../../src/adapters/blobs/segments/format.ts";
import { createSegmentWriter } from "../../../../src/adapters/blobs/segments/writer.ts";
import { patterned } from "../../../blobs.ts";
import { rejectionOf, until } from "../../../waiting.ts";
import { useSegmentFolder } from "./segment-folder.ts";

const { folder } = useSegmentFolder();

const record = (byte: number) => ({
  key: `${"a".repeat(64)}.${"b".repeat(15)}${byte}`,
  bytes: patterned(100 + byte),
});

describe("segment writer", () => {
  test("a failed write rejects the whole batch, and the next batch goes to a new segment", async () => {
    const sealed: [string, number][] = [];
    let opened = 0;
    const path = join(folder(), "segment");
    fs.writeFileSync(path, "");
    await using writer = createSegmentWriter({
      segmentBytes: 1_000_000,
      async open() {
        opened++;
        if (opened === 2) throw new RangeError("no segment");
        // The first can't be written to.
        return {
          id: `s${opened}`,
          salt: Buffer.alloc(32),
          fd: fs.openSync(path, opened === 1 ? "r" : "r+"),
          end: BLOCK_BYTES,
        };
      },
      onWritten() {},
      onSealed: async (id, end) => void sealed.push([id, end]),
    });
    const outcomes = await Promise.allSettled([writer.append(record(1)), writer.append(record(2))]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await until(() => sealed.length > 0);
    expect(sealed).toEqual([["s1", BLOCK_BYTES]]);
    expect((await rejectionOf(writer.probe())).message).toContain("no segment");
    await writer.probe();
    await writer.probe();
    expect(opened).toBe(3);
    expect(await writer.append(record(3))).toStartWith("segment:s3:4096:103:");
  });

  test("a blob that arrives during a probe is written after the probe", async () => {
    const path = join(folder(), "segment");
    fs.writeFileSync(path, "");
    let opened = 0;
    await using writer = createSegmentWriter({
      segmentBytes: 1_000_000,
      async open() {
        if (++opened === 1) throw new RangeError("no segment");
        await Bun.sleep(5);
        return { id: "s", salt: Buffer.alloc(32), fd: fs.openSync(path, "r+"), end: BLOCK_BYTES };
      },
      onWritten() {},
      onSealed: async () => {},
    });
    expect((await rejectionOf(writer.append(record(1)))).message).toContain("no segment");
    const probing = writer.probe();
    const appending = writer.append(record(2));
    await probing;
    expect(await appending).toStartWith("segment:s:");
    expect(opened).toBe(2);
  });
});
