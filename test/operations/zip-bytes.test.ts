import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { zipBytes } from "../../src/operations/zip-bytes.ts";
import { createZipPlanner, type ZipPlan } from "../../src/operations/zip-plan.ts";
import type { ByteRange, ImageFile } from "../../src/ports.ts";
import { expectCode } from "../errors.ts";
import { NEVER, syntheticAlbum, syntheticImage } from "./synthetic-album.ts";

type Album = ReturnType<typeof syntheticAlbum>;

const MEBIBYTE = 1024 * 1024;
const albumOf = (count: number, sizeOf: (index: number) => number = () => 16) =>
  syntheticAlbum(Array.from({ length: count }, (_, index) => syntheticImage(index, { size: sizeOf(index) })));
const planOf = ({ deps }: Album) => createZipPlanner(deps.catalog).plan("a", NEVER);
const wholeOf = ({ size }: ZipPlan): ByteRange => ({ start: 0, end: size });

async function bytesOf({ deps }: Album, plan: ZipPlan, range = wholeOf(plan)): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(zipBytes(deps, plan, range)));
}

describe("an archive", () => {
  test("can be read at any range, which equals that part of the whole", async () => {
    const sizes = [0, 1, 70_000, MEBIBYTE, MEBIBYTE + 1, 3 * MEBIBYTE];
    const album = albumOf(600, (index) => (index < 6 ? (sizes[index] ?? 0) : index % 90));
    const plan = await planOf(album);
    const whole = await bytesOf(album, plan);
    expect(whole.length).toBe(plan.size);
    const at = fc.oneof(
      fc.nat(plan.size - 1),
      // Where most of its parts meet.
      fc.integer({ min: plan.directory.start - 20_000, max: plan.size - 1 }),
      fc.nat(500),
    );
    await fc.assert(
      fc.asyncProperty(at, fc.oneof(fc.nat(200), fc.nat(plan.size)), async (start, length) => {
        const range = { start, end: Math.min(start + length + 1, plan.size) };
        const part = await bytesOf(album, plan, range);
        expect(part.equals(whole.subarray(range.start, range.end))).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  test("of a range reads only the images that have bytes in it", async () => {
    const album = albumOf(1000);
    const plan = await planOf(album);
    const each = plan.directory.start / 1000;
    await bytesOf(album, plan, { start: 500 * each, end: 502 * each });
    expect(album.reads).toEqual(["500", "501"]);
    await bytesOf(album, plan, { start: plan.directory.start, end: plan.size });
    expect(album.reads).toHaveLength(2);
  });
});

/** An album of which the digests are true. */
function earlierAlbum(count: number, sizeOfImage: (index: number) => number = () => 16) {
  const images = Array.from({ length: count }, (_, index) => {
    const image = syntheticImage(index, { size: sizeOfImage(index), crc32: null });
    const bytes = Buffer.alloc(Math.max(image.size, 4));
    bytes.writeUInt32BE(index);
    const sha256 = new Bun.CryptoHasher("sha256").update(bytes.subarray(0, image.size)).digest("hex");
    return { ...image, sha256 };
  });
  return { images, album: syntheticAlbum(images) };
}
const sizeOf = (index: number) => (index % 200 === 7 ? MEBIBYTE + index : index);

describe("checksums that the catalog lacks", () => {
  test("are computed and recorded once, and the archive is the same before and after", async () => {
    const { album } = earlierAlbum(450, sizeOf);
    const plan = await planOf(album);
    const first = await bytesOf(album, plan);
    expect(album.recorded).toHaveLength(450);
    album.reads.length = 0;
    const second = await bytesOf(album, await planOf(album));
    expect(second.equals(first)).toBe(true);
    expect(album.reads).toHaveLength(450);
    expect(album.recorded).toHaveLength(450);
  });

  test("are computed for a range of the directory alone", async () => {
    const { album } = earlierAlbum(300, sizeOf);
    const plan = await planOf(album);
    const { start } = plan.directory;
    const directory = await bytesOf(album, plan, { start, end: plan.size });
    expect(directory.equals((await bytesOf(album, plan)).subarray(start))).toBe(true);
  });

  test("are those of the images even if they cannot be recorded", async () => {
    const { images, album } = earlierAlbum(300);
    album.deps.catalog.write = () => Promise.reject(new Error("read-only"));
    const failed = await bytesOf(album, await planOf(album));
    const { album: other } = earlierAlbum(300);
    expect(failed.equals(await bytesOf(other, await planOf(other)))).toBe(true);
    expect(images.every(({ crc32 }) => crc32 === null)).toBe(true);
  });

  test("are not made up for damaged bytes", async () => {
    for (const size of [16, 2 * MEBIBYTE]) {
      const album = syntheticAlbum([{ ...syntheticImage(0, { size }), crc32: null }]);
      await expectCode(bytesOf(album, await planOf(album)), "blob_damaged");
      expect(album.recorded).toEqual([]);
    }
  });
});

/** Reads the first chunk. */
const start = async (album: Album) => {
  const plan = await planOf(album);
  const chunks = zipBytes(album.deps, plan, wholeOf(plan));
  return { plan, first: await chunks.next(), rest: () => Array.fromAsync(chunks) };
};

describe("while it is read", () => {
  const SIZE = 100_000;
  const of = async (change: (images: readonly ImageFile[]) => readonly ImageFile[]) => {
    const album = albumOf(600, () => SIZE);
    const { plan, first, rest } = await start(album);
    album.change(change);
    return { plan, first, rest: rest() };
  };

  test("an image that is added is left out", async () => {
    const added = syntheticImage(0, { name: "image 0000400x.jpg", createdAt: Date.parse("2026-07-15T00:00:00.000Z") });
    const { plan, first, rest } = await of((images) => images.toSpliced(401, 0, added));
    const size = (await rest).reduce((sum, chunk) => sum + chunk.length, (first.value as Uint8Array).length);
    expect(size).toBe(plan.size);
  });

  test.each([
    ["deleted", (images: readonly ImageFile[]) => images.toSpliced(599, 1)],
    [
      "renamed",
      (images: readonly ImageFile[]) => images.with(599, syntheticImage(599, { name: "image z.jpg", size: SIZE })),
    ],
    [
      "replaced",
      (images: readonly ImageFile[]) => images.with(599, { ...syntheticImage(599, { size: SIZE }), sha256: "f" }),
    ],
    [
      "given back under an earlier name",
      (images: readonly ImageFile[]) => images.toSpliced(401, 0, syntheticImage(0, { name: "image 0000400x.jpg" })),
    ],
  ])("an image that is %s ends it with an error", async (_, change) => {
    const { rest } = await of(change);
    await expectCode(rest, "unavailable");
  });

  test("an image of which the bytes are moved is read at the new place", async () => {
    const album = albumOf(600, () => SIZE);
    const { rest, plan, first } = await start(album);
    const { read } = album.deps.blobs;
    const moved = new Map<string, string>();
    album.change((images) => images.map((image) => ({ ...image, location: `moved ${image.location}` })));
    album.deps.blobs.read = async (location, what) => {
      if (!location.startsWith("moved")) throw new Error("gone");
      moved.set(location, location);
      return read(location.slice(6), what);
    };
    const size = (await rest()).reduce((sum, chunk) => sum + chunk.length, (first.value as Uint8Array).length);
    expect(size).toBe(plan.size);
    expect(moved.size).toBeGreaterThan(550);
  });

  test("bytes that are damaged end it with an error before the last of them", async () => {
    for (const size of [100, 3 * MEBIBYTE]) {
      const album = albumOf(3, () => size);
      album.change((images) => images.with(1, { ...(images[1] as ImageFile), crc32: 1 }));
      const plan = await planOf(album);
      const chunks: Uint8Array[] = [];
      const reading = (async () => {
        for await (const chunk of zipBytes(album.deps, plan, wholeOf(plan))) chunks.push(chunk);
      })();
      await expectCode(reading, "blob_damaged");
      const sent = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      expect(sent).toBeLessThan((plan.directory.start * 2) / 3);
    }
  });
});
