import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { appendFile, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { readLocalFile } from "../../../src/cli/remote/local-file.ts";
import { newPng } from "../../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { rejectionOf } from "../../waiting.ts";

const SMALL = 1000;
const LARGE = 3 * 1024 * 1024;

async function inFolder(work: (path: string) => Promise<void>): Promise<void> {
  const folder = await newFolder("local-file");
  try {
    await work(join(folder, "a.png"));
  } finally {
    await removeFolder(folder);
  }
}

test.each([SMALL, LARGE])("an image of %p bytes is read to its end, and its digest is that of its bytes", (size) =>
  inFolder(async (path) => {
    const bytes = newPng(size);
    await Bun.write(path, bytes);
    const file = await readLocalFile(path);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    expect(file).toMatchObject({ path, size: bytes.length, sha256, isImage: true });
    expect(file.stats.mtimeNs).toBe((await stat(path, { bigint: true })).mtimeNs);
  }),
);

test("a small file is read into the memory of one that is disposed, and into that of no other", () =>
  inFolder(async (path) => {
    const write = async (size: number) => {
      const bytes = newPng(size);
      await Bun.write(path, bytes);
      return { bytes, file: await readLocalFile(path) };
    };
    const kept = await write(SMALL);
    const first = await write(SMALL);
    first.file[Symbol.dispose]();
    first.file[Symbol.dispose]();
    const second = await write(SMALL + 1);
    const third = await write(SMALL);
    expect(second.file.bytes?.buffer).toBe(first.file.bytes?.buffer as ArrayBuffer);
    for (const { bytes, file } of [kept, second, third]) expect(file.bytes).toEqual(bytes);
  }));

const CHANGES: Readonly<Record<string, (path: string, size: number) => Promise<void>>> = {
  grows: (path) => appendFile(path, "more"),
  shrinks: (path, size) => Bun.write(path, newPng(size - 1)).then(() => undefined),
  "is written again with as many bytes": async (path, size) => {
    const { atime, mtime } = await stat(path);
    await Bun.write(path, newPng(size));
    await utimes(path, atime, new Date(mtime.getTime() + 1000));
  },
  "gives its name to another of the same size": async (path, size) => {
    await Bun.write(`${path}.new`, newPng(size));
    await rename(`${path}.new`, path);
  },
};

for (const [does, change] of Object.entries(CHANGES))
  test.each([SMALL, LARGE])(`a file of %p bytes that ${does} after it was looked at is refused`, (size) =>
    inFolder(async (path) => {
      await Bun.write(path, newPng(size));
      const stats = await stat(path, { bigint: true });
      await change(path, size);
      expect((await rejectionOf(readLocalFile(path, stats))).message).toBe("it changed while it was read");
    }),
  );

test.each([SMALL, LARGE])("a file of %p bytes that is deleted after it was looked at is refused", (size) =>
  inFolder(async (path) => {
    await Bun.write(path, newPng(size));
    const stats = await stat(path, { bigint: true });
    await rm(path);
    expect(await rejectionOf(readLocalFile(path, stats))).toMatchObject({ code: "ENOENT", path });
  }),
);
