import { describe, expect, test } from "bun:test";
import { shardOf } from "../../../../src/adapters/catalog/changes/quota-shards.ts";
import type { Album } from "../../../../src/domain/album.ts";
import type { Requester } from "../../../../src/domain/change.ts";
import { StoreError } from "../../../../src/domain/errors.ts";
import { exceededBy, type QuotaScope } from "../../../../src/domain/quota.ts";
import type { Catalog } from "../../../../src/ports.ts";
import { blobOf, createAlbum, createImage, createKey, imageNamed, put } from "../../../catalog-changes.ts";
import { expectCode } from "../../../errors.ts";
import { postgresIsMissing } from "../../../services/postgres-server.ts";
import { connectTo, usePostgresCatalogs } from "../open-postgres.ts";

const SHARDS = 16;
const CLOSED = Number.MIN_SAFE_INTEGER;

interface ShardRow {
  readonly scope: QuotaScope;
  readonly shard: number;
  readonly max: number | null;
  readonly used: number;
  readonly ceiling: number;
}

type Database = Awaited<ReturnType<typeof connectTo>>;

const shardsOf = (database: Database, unit: "bytes" | "images") =>
  database.query<ShardRow>(
    `select scope, shard, max_${unit}::float8 as max, ${unit}::float8 as used, ceiling_${unit}::float8 as ceiling
     from quotas order by scope, shard`,
  );

/** Either no shard admits anything, or each is below its ceiling, and the ceilings together are below the limit. */
async function expectSound(database: Database): Promise<void> {
  for (const unit of ["bytes", "images"] as const) {
    for (const [scope, shards] of Map.groupBy(await shardsOf(database, unit), (row) => row.scope)) {
      expect(shards.map(({ shard }) => shard)).toEqual(Array.from({ length: SHARDS }, (_, shard) => shard));
      const [{ max } = { max: null }] = shards;
      if (max === null || shards.every(({ ceiling }) => ceiling === CLOSED)) continue;
      expect({ scope, unit, above: shards.filter(({ used, ceiling }) => used > ceiling) }).toMatchObject({ above: [] });
      expect(shards.reduce((sum, { ceiling }) => sum + ceiling, 0)).toBeLessThanOrEqual(max);
    }
  }
}

const sized = (name: string, bytes: number) =>
  imageNamed(name, { blob: blobOf(`${name}.${bytes}.`.padEnd(bytes, "x").slice(0, bytes)) });

const by = (key: string): Requester => ({
  actor: { kind: "key", id: key, name: key },
  albums: "all",
  shared: "all",
  chargedTo: key,
});

const setQuota = (catalog: Catalog, scope: QuotaScope, maxBytes: number | null, maxImages: number | null = null) =>
  catalog.write({ type: "setQuota", scope, limits: { maxBytes, maxImages } });

if (!postgresIsMissing()) {
  const { open, createDatabase } = usePostgresCatalogs();

  const openWithAlbums = async (count: number) => {
    const url = await createDatabase();
    const catalog = await open(url);
    await createKey(catalog, "k1");
    const albums = await Promise.all(Array.from({ length: count }, (_, index) => createAlbum(catalog, `a${index}`)));
    return { url, catalog, albums };
  };
  describe("the shards of a quota", () => {
    test("stay within the limit whatever races on three nodes, and no two transactions deadlock", async () => {
      const { url, catalog, albums } = await openWithAlbums(40);
      const nodes = [catalog, await open(url), await open(url)];
      await setQuota(catalog, "store", 3000);
      await setQuota(catalog, "keys/k1", 1500, 70);
      await using database = await connectTo(url);
      for (let round = 0; round < 8; round++) {
        const steps = Array.from({ length: 120 }, async (_, index) => {
          const node = nodes[(index + round) % nodes.length] as Catalog;
          const to = albums[(index * 7 + round) % albums.length] as Album;
          const name = `i${(index + round) % 4}`;
          const more = { mode: "put", ...(index % 2 === 0 ? { by: by("k1") } : {}) } as const;
          const images = [sized(name, 1 + ((index * 13 + round) % 43)), ...(index % 9 === 0 ? [sized("more", 9)] : [])];
          if (index % 40 === 39) {
            await setQuota(node, "store", [3000, 900, 2000, 5000][(index + round) % 4] as number);
            await setQuota(node, "keys/k1", [1500, 300, 800][(index + round) % 3] as number, 70);
          }
          await put(node, to, images, more);
          if (index % 3 === 0) await node.write({ type: "deleteImage", albumId: to.id, name });
        });
        for (const outcome of await Promise.allSettled(steps)) {
          if (outcome.status === "rejected")
            expect((outcome.reason as StoreError).code).toBeOneOf(["quota_exceeded", "image_not_found"]);
        }
        await expectSound(database);
        expect(await catalog.miscounts()).toEqual([]);
      }
      await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
      const [stats] = await database.query<{ deadlocks: number }>(
        "select deadlocks::int as deadlocks from pg_stat_database where datname = current_database()",
      );
      expect(stats).toEqual({ deadlocks: 0 });
    });

    test("draw to the last byte and no further when many small images race from all albums", async () => {
      const { url, catalog, albums } = await openWithAlbums(48);
      const nodes = [catalog, await open(url), await open(url)];
      await setQuota(catalog, "store", 10_000, 900);
      const outcomes = await Promise.allSettled(
        Array.from({ length: 1200 }, (_, index) =>
          put(nodes[index % 3] as Catalog, albums[(index * 5) % 48] as Album, [sized(`i${index}`, 10)]),
        ),
      );
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(900);
      await setQuota(catalog, "store", 9_500, 10_000);
      const more = await Promise.allSettled(
        Array.from({ length: 96 }, (_, index) =>
          put(nodes[index % 3] as Catalog, albums[index % 48] as Album, [sized(`j${index}`, 10)]),
        ),
      );
      expect(more.filter(({ status }) => status === "fulfilled")).toHaveLength(50);
      expect((await catalog.quotas(["store"]))[0]?.used).toEqual({ images: 950, bytes: 9500 });
      await using database = await connectTo(url);
      await expectSound(database);
    });

    test("a lowered limit lowers them at once", async () => {
      const { url, catalog, albums } = await openWithAlbums(48);
      await setQuota(catalog, "store", 1_000_000);
      await Promise.all(albums.map((album) => put(catalog, album, [sized("a", 20)])));
      await setQuota(catalog, "store", 1000);
      await using database = await connectTo(url);
      await expectSound(database);
      const outcomes = await Promise.allSettled(albums.map((album) => put(catalog, album, [sized("b", 10)])));
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(4);
    });

    test("let a change pass while another album's shard is locked, and count in that of its album", async () => {
      const { url, catalog, albums } = await openWithAlbums(1);
      const [album] = albums as [Album];
      await setQuota(catalog, "store", 1_000_000);
      const own = shardOf(album.id, SHARDS);
      await using database = await connectTo(url);
      await database.query("begin");
      await database.query("select 1 from quotas where shard <> $1 for update", [own]);
      await createImage(catalog, album, "i");
      await catalog.write({ type: "deleteImage", albumId: album.id, name: "i" });
      await put(catalog, album, [sized("a", 7)]);
      await database.query("rollback");
      expect((await shardsOf(database, "bytes")).filter(({ used }) => used > 0)).toMatchObject([
        { shard: own, used: 7 },
      ]);
    });

    test("a repair corrects their sum, and spreads the room anew", async () => {
      const { url, catalog, albums } = await openWithAlbums(30);
      await setQuota(catalog, "store", 1000);
      await Promise.all(albums.map((album) => put(catalog, album, [sized("a", 20)])));
      await using database = await connectTo(url);
      await database.query("update quotas set bytes = bytes - 100, ceiling_bytes = 500 where shard = 5");
      expect(await catalog.miscounts()).toMatchObject([
        { scope: "store", recorded: { images: 30, bytes: 500 }, counted: { images: 30, bytes: 600 } },
      ]);
      expect(await catalog.write({ type: "recountUsage" })).toEqual({ corrected: 1 });
      expect(await catalog.miscounts()).toEqual([]);
      await expectSound(database);
      await expectCode(put(catalog, albums[0] as Album, [sized("b", 401)]), "quota_exceeded");
      await put(catalog, albums[1] as Album, [sized("b", 400)]);
    });

    test("a change that the album's quota refuses leaves them as they were", async () => {
      const { url, catalog, albums } = await openWithAlbums(1);
      const [album] = albums as [Album];
      await setQuota(catalog, "store", 100);
      await setQuota(catalog, `albums/${album.id}`, 10);
      await using database = await connectTo(url);
      const before = await shardsOf(database, "bytes");
      const refused = await put(catalog, album, [sized("a", 11)]).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(StoreError);
      expect((refused as StoreError).members).toMatchObject({ scope: `albums/${album.id}`, used: 0 });
      expect(await shardsOf(database, "bytes")).toEqual(before);
      for (const quota of await catalog.quotas(["store"]))
        expect(exceededBy(quota, { images: 1, bytes: 100 })).toBeUndefined();
    });
  });
}
