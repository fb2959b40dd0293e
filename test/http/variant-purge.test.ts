import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { until } from "../waiting.ts";
import { startStore, type TestStore } from "./harness.ts";
import { imagePath, newAlbum, putContent } from "./image-fixtures.ts";

/** Of noise, so that any stretch of it, and of what is made of it, is like no other. */
async function noise(): Promise<Buffer<ArrayBuffer>> {
  const [width, height] = [400, 300];
  const pixels = crypto.getRandomValues(new Uint8Array(60_000));
  const raw = Buffer.concat(Array.from({ length: (width * height * 3) / pixels.length }, () => pixels));
  return Buffer.from(
    await sharp(raw, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  );
}

const middleOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.subarray(bytes.length / 2, bytes.length / 2 + 64));

/** The files in which these bytes lie, whatever they are. */
async function filesWith(folder: string, pattern: Buffer): Promise<string[]> {
  const found: string[] = [];
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    // Some go while this looks.
    const bytes = entry.isFile()
      ? await Bun.file(path)
          .bytes()
          .catch(() => new Uint8Array())
      : new Uint8Array();
    if (Buffer.from(bytes.buffer).includes(pattern)) found.push(path);
  }
  return found;
}

async function bytesOf(store: TestStore, path: string): Promise<Uint8Array> {
  const response = await store.fetch(path);
  expect(response.status).toBe(200);
  return response.bytes();
}

test.each([
  ["deleted", (store: TestStore, image: string) => store.fetch(image, { method: "DELETE" })],
  [
    "replaced",
    async (store: TestStore, image: string) => store.fetch(`${image}/content`, { method: "PUT", body: await noise() }),
  ],
])(
  "after an image is %s, its old bytes and variants are nowhere in the data folder once the grace period is over",
  async (_, remove) => {
    await using store = await startStore({ GRACE: "1s", DESCRIBE: "false" });
    const album = await newAlbum(store);
    const image = imagePath(album, "image.png");
    const original = await noise();
    expect((await putContent(store, album, "image.png", original)).status).toBe(201);
    const wishes = ["w=160", "w=240&format=webp", "preset=thumb", "w=320&format=jpeg"];
    const variants = await Promise.all(wishes.map((wish) => bytesOf(store, `${image}/content?${wish}`)));
    const patterns = [original, ...variants].map(middleOf);
    for (const pattern of patterns) expect(await filesWith(store.dataFolder, pattern)).toHaveLength(1);

    expect((await remove(store, image)).ok).toBe(true);
    for (const pattern of patterns) while ((await filesWith(store.dataFolder, pattern)).length > 0) await Bun.sleep(50);
    // The files go first.
    await until(async () => {
      const metrics = await (await store.fetch("/metrics")).text();
      return ["entries", "bytes"].every((of) => metrics.includes(`\nimage_store_variant_cache_${of} 0\n`));
    });
  },
);

test("metrics report the use of the variant cache", async () => {
  await using store = await startStore({ DESCRIBE: "false" });
  const album = await newAlbum(store);
  await putContent(store, album, "image.png", await noise());
  const image = `${imagePath(album, "image.png")}/content`;
  for (const wish of ["w=160", "w=160", "w=240"]) await bytesOf(store, `${image}?${wish}`);
  const metrics = await (await store.fetch("/metrics")).text();
  for (const line of [
    'variant_lookups_total{outcome="hit"} 1',
    'variant_lookups_total{outcome="miss"} 2',
    "variant_evictions_total 0",
    "variant_cache_entries 2",
  ])
    expect(metrics).toContain(`\nimage_store_${line}\n`);
});
