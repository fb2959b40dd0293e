import { describe, expect, test } from "bun:test";
import { openPostgresCatalog } from "../../src/adapters/catalog/postgres.ts";
import type { Album } from "../../src/domain/album.ts";
import type { Image } from "../../src/domain/image.ts";
import { awaitNumbers } from "./fleet/catalog-trouble.ts";
import type { Fleet } from "./fleet/fleet.ts";
import { shareFleet } from "./fleet/share-fleet.ts";
import { pick } from "./random.ts";
import { randomImage } from "./random-image.ts";
import { readLog } from "./read-store.ts";
import { replay } from "./replay.ts";

const ALBUMS = ["a", "b", "c", "limited"];
const MAX_IMAGES = 3;
const CLIENTS = 9;
const REQUESTS = Number(process.env["IMAGE_STORE_TEST_MOVES"] ?? 60);
/** What a race may end in. */
const STATUSES = new Set([200, 201, 204, 404, 409, 413, 503, 507]);

const { missing, fleet } = shareFleet({ postgresSettings: { fsync: "off" }, env: { IMAGE_STORE_DESCRIBE: "false" } });

const NAMES = Array.from({ length: 5 }, (_, index) => `${index}`);
const PICTURES = Array.from({ length: 4 }, () => randomImage(600));

const send = (method: string, url: string, body: object | undefined) =>
  fetch(url, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
  });

async function makeAlbum(url: string, name: string): Promise<void> {
  await send("PUT", `${url}/v1/albums/${name}`, {});
  if (name === "limited")
    await send("PUT", `${url}/v1/quotas/albums/limited`, { maxImages: MAX_IMAGES, maxBytes: null });
}

/** One request of the race. */
function request(url: string): Promise<Response> {
  const [from, to, name] = [pick(ALBUMS), pick(ALBUMS), pick(NAMES)];
  const image = `${url}/v1/albums/${from}/images/${name}`;
  const { bytes, sha256 } = pick(PICTURES);
  const wish = { album: to, name: pick(NAMES), ifExists: pick(["fail", "replace", "keep-both"]) };
  const chance = Math.random();
  if (chance < 0.45) return send("POST", `${image}/move`, wish);
  if (chance < 0.55) return send("POST", `${image}/copy`, wish);
  if (chance < 0.65)
    return send("POST", `${url}/v1/albums/${to}/images`, { name: wish.name, ifExists: "replace", sha256 });
  if (chance < 0.9) return fetch(`${image}/content`, { method: "PUT", body: bytes });
  if (chance < 0.93) return send("PUT", `${url}/v1/albums/${from}`, {});
  if (chance < 0.985) return fetch(image, { method: "DELETE" });
  return fetch(`${url}/v1/albums/${from}?recursive=true`, { method: "DELETE" });
}

const allOf = async <Item>(url: string, path: string): Promise<readonly Item[]> =>
  ((await (await fetch(`${url}/v1/${path}?pageSize=1000`)).json()) as { items: Item[] }).items;

const placeOf = ({ id, albumId, name, revision }: Image) => `${albumId}/${name} ${id} ${revision}`;

describe.skipIf(missing)("moves on three nodes", () => {
  test("race with uploads, copies, quotas and deletes of albums, and no image is lost or in two albums", async () => {
    for (const name of ALBUMS) await makeAlbum(fleet().anyUrl(), name);
    const statuses = new Map<number, number>();
    const client = async (index: number) => {
      const { url } = fleet().nodes[index % 3] as Fleet["nodes"][0];
      for (let count = 0; count < REQUESTS; count++) {
        const { status, body } = await request(url);
        await body?.cancel();
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        if (status === 404 && Math.random() < 0.4) await makeAlbum(url, pick(ALBUMS));
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, (_, index) => client(index)));
    expect([...statuses.keys()].filter((status) => !STATUSES.has(status))).toEqual([]);

    await awaitNumbers(fleet().catalogUrl);
    const url = fleet().anyUrl();
    const images = await allOf<Image>(url, "images");
    const albums = await allOf<Album>(url, "albums");
    expect(new Set(images.map(({ id }) => id)).size).toBe(images.length);
    for (const album of albums)
      expect(album.imageCount).toBe(images.filter(({ albumId }) => albumId === album.id).length);
    for (const { links, sha256 } of images) {
      const bytes = await (await fetch(url + links.content)).bytes();
      expect(new Bun.CryptoHasher("sha256").update(bytes).digest("hex")).toBe(sha256);
    }

    const problems: string[] = [];
    const events = (await readLog(url)).filter(({ type }) => /\.(album|image)\./.test(type));
    const alive = replay(events, problems);
    expect(problems).toEqual([]);
    expect([...alive.images.values()].map(placeOf).toSorted()).toEqual(images.map(placeOf).toSorted());
    const moves = events.filter(({ data }) => data.reason === "moved").length / 2;
    expect(moves).toBeGreaterThan(0);
    await using catalog = await openPostgresCatalog({ url: fleet().catalogUrl, poolSize: 2, as: "beside" });
    expect(await catalog.miscounts()).toEqual([]);
    console.log(`${moves} moves; responses by status: ${JSON.stringify(Object.fromEntries(statuses))}`);
  });
});
