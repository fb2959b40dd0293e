import { expect, test } from "bun:test";
import { createWriteQueue } from "../../../../src/adapters/catalog/sqlite/write-queue.ts";
import type { Writer } from "../../../../src/adapters/catalog/sqlite/writer.ts";
import { albumNamed, batchOf } from "../../../catalog-changes.ts";

test("changes that wait behind a batch of many operations are committed before the next batch", async () => {
  const committed: string[][] = [];
  const writer: Writer = {
    run(changes) {
      committed.push(changes.map(({ type }) => type));
      return Promise.resolve({ outcomes: changes.map(() => ({ value: null })), appended: false });
    },
    close: () => Promise.resolve(),
    death: new Promise(() => undefined),
  };
  const queue = createWriteQueue(writer, { onAppended: () => undefined, onFatal: () => undefined });
  const create = () => queue.write(albumNamed("a"));
  const many = () => queue.write(batchOf(Array.from({ length: 1000 }, () => ({ type: "describeImage", id: "i" }))));
  const few = () => queue.write(batchOf([{ type: "describeImage", id: "i" }]));
  await Promise.all([create(), create(), many(), create(), many(), create(), few()]);
  expect(committed).toEqual([
    ["createAlbum", "createAlbum"],
    ["runBatch"],
    ["createAlbum"],
    ["runBatch"],
    ["createAlbum", "runBatch"],
  ]);
});
