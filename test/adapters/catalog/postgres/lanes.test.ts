import { describe, expect, test } from "bun:test";
import type { PostgresCatalogOptions } from "../../../../src/adapters/catalog/postgres.ts";
import type { PutImages } from "../../../../src/domain/change.ts";
import type { Catalog } from "../../../../src/ports.ts";
import { blobOf, createAlbum, createImage, imageNamed, pagesOf, put } from "../../../catalog-changes.ts";
import { postgresIsMissing } from "../../../services/postgres-server.ts";
import { connectTo, usePostgresCatalogs } from "../open-postgres.ts";

const WAITING = "from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";

const codesOf = async (writes: readonly Promise<unknown>[]) =>
  (await Promise.allSettled(writes)).map((outcome) =>
    outcome.status === "fulfilled" ? "done" : ((outcome.reason as { code?: string }).code ?? String(outcome.reason)),
  );

const namesIn = async (catalog: Catalog, albumId: string) => {
  const pages = await pagesOf((start) =>
    catalog.images({ visibility: "all", albumId, orderBy: "name", limit: 100, ...start }),
  );
  return pages.flatMap(({ items }) => items.map(({ name }) => name)).toSorted();
};

async function createdEvents(catalog: Catalog): Promise<readonly string[]> {
  // They are readable a moment after the change.
  while ((await catalog.unreadableSeconds()) > 0) await Bun.sleep(10);
  const { events } = await catalog.events({ visibility: "all", limit: 1000 });
  return events
    .filter(({ type }) => type === "imagestore.image.created")
    .map(({ data }) => (JSON.parse(data) as { name: string }).name)
    .toSorted();
}

if (!postgresIsMissing()) {
  const { open, createDatabase } = usePostgresCatalogs();

  /** A catalog with an album that is locked until it is let go, so that what is written to it gathers. */
  async function openWithLockedAlbum(options: Partial<PostgresCatalogOptions> = {}) {
    const url = await createDatabase();
    const sizes: number[] = [];
    const catalog = await open(url, { poolSize: 4, observe: ({ batchSize }) => sizes.push(batchSize), ...options });
    const album = await createAlbum(catalog, "a");
    await createImage(catalog, album, "there");
    sizes.length = 0;
    const database = await connectTo(url);
    await database.query("begin");
    await database.query("select 1 from albums where name = 'a' for update");
    const first = createImage(catalog, album, "first");
    first.catch(() => undefined);
    while ((await database.query(`select 1 ${WAITING}`)).length === 0) await Bun.sleep(5);
    return {
      catalog,
      album,
      /** Of the transactions since. */
      sizes,
      database,
      letGo: async () => {
        await database.query("commit");
        await first;
      },
      [Symbol.asyncDispose]: async () => {
        await first.catch(() => undefined);
        await database[Symbol.asyncDispose]();
      },
    };
  }

  describe("PostgreSQL lanes: changes to one album", () => {
    test("share transactions: while one runs, the next collects what arrives", async () => {
      await using store = await openWithLockedAlbum();
      const { catalog, album } = store;
      const names = Array.from({ length: 30 }, (_, index) => `i${String(index).padStart(2, "0")}`);
      const writes = names.map((name) => createImage(catalog, album, name));
      const all = Promise.all(writes);
      await store.letGo();
      expect((await all).map(({ name }) => name)).toEqual(names);
      expect(store.sizes).toEqual([1, 30]);
      const expected = [...names, "first", "there"].toSorted();
      expect(await namesIn(catalog, album.id)).toEqual(expected);
      expect(await createdEvents(catalog)).toEqual(expected);
      expect((await catalog.album("a", "all"))?.imageCount).toBe(32);
    });

    test("do not block other albums and do not take all connections", async () => {
      await using store = await openWithLockedAlbum();
      const { catalog, album } = store;
      const waiting = Array.from({ length: 20 }, (_, index) => createImage(catalog, album, `i${index}`));
      const all = Promise.all(waiting);
      all.catch(() => undefined);
      const other = await createAlbum(catalog, "b");
      for (const name of ["x", "y"]) await createImage(catalog, other, name);
      await catalog.write({ type: "reserveBlobs", blobs: [blobOf("r")] });
      expect(new Set(waiting.map((write) => Bun.peek.status(write)))).toEqual(new Set(["pending"]));
      await store.letGo();
      await all;
    });

    test("are refused one by one", async () => {
      await using store = await openWithLockedAlbum();
      const { catalog, album } = store;
      const change = (name: string, patch: object) =>
        catalog.write({ type: "updateImage", albumId: album.id, name, patch });
      const writes = [
        createImage(catalog, album, "b"),
        createImage(catalog, album, "there"),
        put(catalog, album, [imageNamed("c"), imageNamed("there")]),
        change("nowhere", { title: "t" }),
        createImage(catalog, album, "b"),
        createImage(catalog, album, "d"),
        change("d", { name: "e" }),
        catalog.write({ type: "deleteImage", albumId: album.id, name: "b" }),
      ];
      const codes = codesOf(writes);
      await store.letGo();
      expect(await codes).toEqual([
        "done",
        "image_exists",
        "image_exists",
        "image_not_found",
        "image_exists",
        "done",
        "done",
        "done",
      ]);
      expect(await namesIn(catalog, album.id)).toEqual(["e", "first", "there"]);
      expect(await createdEvents(catalog)).toEqual(["b", "d", "first", "there"]);
    });

    test("that fail after writing do not affect the others", async () => {
      await using store = await openWithLockedAlbum();
      const { catalog, album } = store;
      const swept = imageNamed("swept", { blob: { ...blobOf("swept"), reserved: true } });
      const writes = [createImage(catalog, album, "b"), put(catalog, album, [swept]), createImage(catalog, album, "c")];
      const codes = codesOf(writes);
      await store.letGo();
      expect(await codes).toEqual(["done", "upload_expired", "done"]);
      expect(await createdEvents(catalog)).toEqual(["b", "c", "first", "there"]);
    });

    test.each([
      // What only one of them can be the cause of.
      ["22021", ["done", "internal", "done"], 3],
      // What all of them would only wait for again.
      ["55P03", ["busy", "busy", "busy"], 1],
    ] as const)(
      "report the server's %s to the change or the batch that it concerns",
      async (code, expected, attempts) => {
        await using store = await openWithLockedAlbum();
        const { catalog, album, database } = store;
        await database.query(`
        create sequence attempts;
        create function fail() returns trigger language plpgsql as $$ begin
          if new.name = 'bad' then perform nextval('attempts'); raise exception 'no' using errcode = '${code}'; end if;
          return new; end $$;
        create trigger fail before insert on images for each row execute function fail()`);
        const writes = ["b", "bad", "c"].map((name) => createImage(catalog, album, name));
        const codes = codesOf(writes);
        await store.letGo();
        expect(await codes).toEqual([...expected]);
        expect(await database.query("select last_value::integer from attempts")).toEqual([{ last_value: attempts }]);
      },
    );

    test("move to other connections when theirs is closed", async () => {
      await using store = await openWithLockedAlbum();
      const { catalog, album, database } = store;
      await database.query(`
        create function hold_up() returns trigger language plpgsql as $$ begin
          if new.name <> 'first' then perform pg_advisory_xact_lock(1); end if; return new; end $$;
        create trigger hold_up before insert on images for each row execute function hold_up();
        select pg_advisory_lock(1)`);
      const writes = Promise.all(Array.from({ length: 6 }, (_, index) => createImage(catalog, album, `i${index}`)));
      writes.catch(() => undefined);
      await store.letGo();
      while ((await database.query(`select pg_terminate_backend(pid) ${WAITING}`)).length === 0) await Bun.sleep(5);
      await database.query("select pg_advisory_unlock(1)");
      await writes;
      expect(store.sizes).toEqual([1, 3, 3]);
      expect((await catalog.album("a", "all"))?.imageCount).toBe(8);
    });

    test("commit nothing when all are refused", async () => {
      await using store = await openWithLockedAlbum();
      const { catalog, album } = store;
      const writes = ["there", "nowhere"].map((name) =>
        catalog.write({ type: "updateImage", albumId: album.id, name, patch: {}, preconditions: { ifMatch: [] } }),
      );
      const codes = codesOf(writes);
      await store.letGo();
      expect(await codes).toEqual(["precondition_failed", "image_not_found"]);
      expect(store.sizes).toEqual([1]);
    });

    test("wait in a bounded queue for a bounded time, and leave room for other albums", async () => {
      await using store = await openWithLockedAlbum({ maxWaiting: 8 });
      const { catalog, album } = store;
      const writes = Array.from({ length: 7 }, (_, index) => createImage(catalog, album, `i${index}`));
      const codes = codesOf(writes);
      expect(await codesOf(writes.slice(4))).toEqual(["busy", "busy", "busy"]);
      await createImage(catalog, await createAlbum(catalog, "b"), "x");
      // The first has the lock to wait for, and those behind it the first.
      expect(await codes).toEqual(Array.from({ length: 7 }, () => "busy"));
      await store.letGo();
      await createImage(catalog, album, "i0");
    });

    test("with an idempotency key have a transaction of their own", async () => {
      await using store = await openWithLockedAlbum();
      const { catalog, album } = store;
      const keyed = (key: string): PutImages => ({
        type: "putImages",
        albumId: album.id,
        mode: "create",
        images: [imageNamed(key)],
        idempotency: { scope: "s", key, fingerprint: "f" },
      });
      const writes = Promise.all(["k", "l"].map((key) => catalog.write(keyed(key))));
      writes.catch(() => undefined);
      await store.letGo();
      expect((await writes).map(({ replayed }) => replayed)).toEqual([false, false]);
      expect(store.sizes).toEqual([1, 1, 1]);
    });
  });
}
