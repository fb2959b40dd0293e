import { describe, expect, test } from "bun:test";
import { openPostgresCatalog } from "../../src/adapters/catalog/postgres.ts";
import type { Quota, QuotaScope } from "../../src/domain/quota.ts";
import { shareFleet } from "./fleet/share-fleet.ts";
import { randomImage } from "./random-image.ts";

const UPLOADS = 64;

const { missing, fleet } = shareFleet();

const send = async (path: string, method: string, body: unknown): Promise<Response> => {
  const headers = { "Content-Type": "application/json" };
  return fetch(`${fleet().anyUrl()}${path}`, { method, headers, body: JSON.stringify(body) });
};

async function newAlbum(name: string): Promise<void> {
  expect((await send("/v1/albums", "POST", { name })).status).toBe(201);
}

/** Sends each image once, to another node at each turn, and again after 503; undefined for one that got no response. */
const uploadAll = (images: readonly Buffer<ArrayBuffer>[], albumOf: (index: number) => string) =>
  Promise.all(
    images.map(async (body, index) => {
      const path = `/v1/albums/${albumOf(index)}/images/i${index}/content`;
      const put = () => fetch(fleet().anyUrl() + path, { method: "PUT", body }).catch(() => undefined);
      let response = await put();
      // On a busy machine, changes of one album may wait for longer than the store lets them.
      while (response?.status === 503) {
        await Bun.sleep(100);
        response = await put();
      }
      return { size: body.length, status: response?.status };
    }),
  );

const readQuota = async (path: string): Promise<Quota> =>
  (await (await fetch(`${fleet().anyUrl()}${path}`)).json()) as Quota;

async function expectExactCounters(): Promise<void> {
  await using catalog = await openPostgresCatalog({ url: fleet().catalogUrl, poolSize: 2, as: "beside" });
  expect(await catalog.miscounts()).toEqual([]);
}

const someImages = () => Array.from({ length: UPLOADS }, (_, index) => randomImage(500 + ((index * 37) % 400)).bytes);

const SCOPES: readonly (readonly [QuotaScope | "albums", string, (index: number) => string])[] = [
  ["store", "/v1/quotas/store", (index) => `store-${index % 4}`],
  ["albums", "/v1/quotas/albums/one", () => "one"],
];

describe.skipIf(missing)("quotas on three nodes", () => {
  test.each(SCOPES)(
    "of %s are exceeded by no byte of 64 racing uploads, and refuse nothing that fits",
    async (_name, path, albumOf) => {
      const images = someImages();
      for (const name of new Set(images.map((_, index) => albumOf(index)))) await newAlbum(name);
      const total = images.reduce((bytes, { length }) => bytes + length, 0);
      const maxBytes = Math.floor(total * 0.6);
      expect((await send(path, "PUT", { maxBytes })).status).toBe(200);

      const outcomes = await uploadAll(images, albumOf);
      const { used } = await readQuota(path);
      const stored = outcomes.filter(({ status }) => status === 201 || status === 200);
      const refused = outcomes.filter(({ status }) => status === 507);
      expect(stored.length + refused.length).toBe(UPLOADS);
      expect(used).toEqual({ images: stored.length, bytes: stored.reduce((bytes, { size }) => bytes + size, 0) });
      expect(used.bytes).toBeLessThanOrEqual(maxBytes);
      expect(refused.length).toBeGreaterThan(0);
      for (const { size } of refused) expect(used.bytes + size).toBeGreaterThan(maxBytes);
      await expectExactCounters();
      await fetch(`${fleet().anyUrl()}${path}`, { method: "DELETE" });
    },
  );

  test("stay exact when a node is killed amid uploads", async () => {
    for (const name of ["k0", "k1", "k2"]) await newAlbum(name);
    const maxBytes = 10_000_000;
    expect((await send("/v1/quotas/store", "PUT", { maxBytes })).status).toBe(200);
    const [node] = fleet().nodes;
    for (const round of [1, 2, 3]) {
      const uploading = uploadAll(someImages(), (index) => `k${(index + round) % 3}`);
      await Bun.sleep(20 * round);
      await node.kill();
      await uploading;
      await expectExactCounters();
      await node.start();
    }
    const { used } = await readQuota("/v1/quotas/store");
    expect(used.images).toBeGreaterThan(UPLOADS / 2);
  });
});
