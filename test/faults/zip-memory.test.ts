import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openSqliteCatalog } from "../../src/adapters/catalog/sqlite.ts";
import { randomImage } from "./random-image.ts";
import { type ServerProcess, startServer } from "./server-process.ts";
import { makeTemporaryFolder, removeTemporaryFolder } from "./temporary-folder.ts";

const IMAGES = 100_000;
const FEW = 20_000;
const AT_ONCE = 2000;
const MEBIBYTE = 1024 * 1024;

const residentBytes = (pid: number): number =>
  1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

/** Adds albums of many images to a store that has one: all of them have its bytes. */
async function seed(dataFolder: string): Promise<void> {
  await using catalog = await openSqliteCatalog({
    path: join(dataFolder, "catalog.sqlite"),
    exclusive: false,
    writer: "inline",
    onFatal: (error) => {
      throw error;
    },
  });
  const stored = await catalog.image("first", "image", "all");
  if (stored === undefined) throw new Error("The store has no image.");
  const { image, location } = stored;
  const [first] = await catalog.imageFiles({
    albumId: image.albumId,
    createdUntil: Number.MAX_SAFE_INTEGER,
    after: "",
    limit: 1,
  });
  const crc32 = first?.crc32 ?? null;
  if (crc32 === null) throw new Error("The upload recorded no CRC-32.");
  const fields = { title: null, description: null, metadata: {}, visibility: undefined };
  for (const [name, count] of [
    ["few", FEW],
    ["many", IMAGES],
  ] as const) {
    const albumId = Bun.randomUUIDv7();
    await catalog.write({ type: "createAlbum", id: albumId, name, fields });
    for (let start = 0; start < count; start += AT_ONCE) {
      const images = Array.from({ length: AT_ONCE }, (_, index) => {
        const key = `${image.sha256}.${String(start + index).padStart(16, "0")}-${name}`;
        const { size, sha256 } = image;
        return {
          id: Bun.randomUUIDv7(),
          name: `IMG ${start + index}`,
          info: image,
          blob: { key, location, size, sha256, crc32 },
        };
      });
      await catalog.write({ type: "putImages", albumId, mode: "create", images: images.slice(0, count - start) });
    }
  }
}

/** Downloads the archive and drops it. @returns its size, and the most memory that the server had */
async function download({ url, pid }: ServerProcess, album: string) {
  let [peak, size] = [0, 0];
  const sampling = setInterval(() => {
    peak = Math.max(peak, residentBytes(pid));
  }, 10);
  const response = await fetch(`${url}/v1/albums/${album}/zip`);
  expect(response.status).toBe(200);
  for await (const chunk of response.body ?? []) size += chunk.length;
  clearInterval(sampling);
  return { peak, size };
}

test("an archive of 100,000 images takes no more memory than one of 20,000, and the server still answers", async () => {
  using cleaning = new DisposableStack();
  const dataFolder = cleaning.adopt(makeTemporaryFolder(), removeTemporaryFolder);
  const env = { IMAGE_STORE_DESCRIBE: "false" };
  {
    await using server = await startServer({ dataFolder, env });
    const path = `${server.url}/v1/albums/first`;
    expect((await fetch(path, { method: "PUT" })).status).toBe(201);
    const body = randomImage(2000).bytes;
    expect((await fetch(`${path}/images/image/content`, { method: "PUT", body })).status).toBe(201);
    await server.stop("SIGTERM");
  }
  await seed(dataFolder);
  await using server = await startServer({ dataFolder, env });
  const few = await Promise.all([download(server, "few"), download(server, "few")]);
  const before = Math.max(...few.map(({ peak }) => peak));
  let checks = 0;
  const over = new AbortController();
  const checking = (async () => {
    for (; !over.signal.aborted; checks++) expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  })();
  const many = await Promise.all([download(server, "many"), download(server, "many")]);
  over.abort();
  await checking;
  const after = Math.max(...many.map(({ peak }) => peak));
  for (const { size } of many) expect(size).toBeGreaterThan(IMAGES * 2000);
  expect(checks).toBeGreaterThan(100);
  console.log(`memory: ${Math.round(before / MEBIBYTE)} MiB for few, ${Math.round(after / MEBIBYTE)} MiB for many`);
  expect(after - before).toBeLessThan(128 * MEBIBYTE);
});
