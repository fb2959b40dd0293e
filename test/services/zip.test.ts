import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { type ZipFile, zipEnd, zipEntry, zipHeader } from "../../src/domain/zip.ts";
import { zipBytes } from "../../src/operations/zip-bytes.ts";
import { createZipPlanner } from "../../src/operations/zip-plan.ts";
import { startStore } from "../http/harness.ts";
import { newAlbum, newImage, newPng } from "../http/image-fixtures.ts";
import { NEVER, syntheticAlbum, syntheticImage } from "../operations/synthetic-album.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { expectListed, expectReadable, expectReadableByPython } from "./zip-readers.ts";

const MEBIBYTE = 1024 * 1024;
const LIMIT = 2 ** 32 - 1;
const fileOf = (name: string, size: number): ZipFile => ({
  name: Buffer.from(name),
  size,
  modifiedAt: Date.parse("2026-07-14T09:30:01.000Z"),
  // Of zeros. Those of a large file are not read to their end.
  crc32: size > 5 ? 0 : Bun.hash.crc32(new Uint8Array(size)),
});

/** Writes an archive of synthetic images, with holes for zeros, and returns the names in it. */
async function writeArchive(path: string, sizes: readonly number[]): Promise<readonly string[]> {
  const images = sizes.map((size, index) => syntheticImage(index, { size }));
  const { deps } = syntheticAlbum(images);
  const plan = await createZipPlanner(deps.catalog).plan("a", NEVER);
  await using file = await open(path, "w");
  let position = 0;
  const zeros = Buffer.alloc(MEBIBYTE);
  for await (const chunk of zipBytes(deps, plan, { start: 0, end: plan.size })) {
    if (!zeros.subarray(0, chunk.length).equals(chunk)) await file.write(chunk, 0, chunk.length, position);
    position += chunk.length;
  }
  await file.truncate(position);
  expect(position).toBe(plan.size);
  return images.map(({ name }) => name);
}

describe("a ZIP archive is read by other programs", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await newFolder("zip");
  });
  afterAll(() => removeFolder(folder));

  test("from a store, with names of all kinds, and without files", async () => {
    await using store = await startStore();
    const album = await newAlbum(store, "Sommer: ä");
    const path = join(folder, "album.zip");
    const save = async () => Bun.write(path, await (await store.fetch(`${album}/zip`)).bytes());
    await save();
    await expectReadable(path, []);
    for (const name of ["A.png", "a.png", "C:\\x", "con", "-rf", "é😀", "x".repeat(255)])
      await newImage(store, album, name, newPng(name === "con" ? 2_500_000 : 3000));
    await save();
    const names = ["-rf.png", "A.png", "C__x.png", "a (19e23588).png", "_con.png", `${"x".repeat(251)}.png`, "é😀.png"];
    await expectReadable(path, names);
  });

  test("with more files than 16 bits can count", async () => {
    const path = join(folder, "many.zip");
    const names = await writeArchive(
      path,
      Array.from({ length: 66_000 }, () => 4),
    );
    await expectReadable(path, names);
  });

  test("with more bytes than 32 bits can count", async () => {
    const path = join(folder, "large.zip");
    const names = await writeArchive(path, [2 * MEBIBYTE, LIMIT + 5, 2 * MEBIBYTE, 5]);
    await expectReadableByPython(path, names);
  });

  // Where a field of 32 bits is just large enough, too small by one because the largest value is a mark, and too small.
  test.each([0, 1, LIMIT - 200, LIMIT - 100, LIMIT - 1, LIMIT, LIMIT + 1, 2 ** 40])(
    "with a file of %p bytes before another",
    async (size) => {
      const path = join(folder, `${size}.zip`);
      await using output = await open(path, "w");
      const entries: Uint8Array[] = [];
      const listed: [string, number, number][] = [];
      let start = 0;
      for (const file of [fileOf("first.jpg", size), fileOf("ä.png", 5)]) {
        const header = zipHeader(file);
        const entry = zipEntry(file, start);
        await output.write(header, 0, header.length, start);
        entries.push(entry);
        listed.push([Buffer.from(file.name).toString(), file.size, start]);
        start += header.length + file.size;
      }
      const directory = { start, size: Buffer.concat(entries).length, files: 2 };
      const end = Buffer.concat([...entries, zipEnd(directory)]);
      await output.write(end, 0, end.length, start);
      await expectListed(path, listed);
    },
  );
});
