import { describe, expect, test } from "bun:test";
import type { PostgresCatalogOptions } from "../../src/adapters/catalog/postgres.ts";
import type { PutImages } from "../../src/domain/change.ts";
import type { Catalog } from "../../src/ports.ts";
import { postgresIsMissing } from "../services/postgres-server.ts";
import { blobOf, createAlbum, createImage, imageNamed, pagesOf, put } from "./catalog-changes.ts";
import { connectTo, usePostgresCatalogs } from "./catalog-postgres.ts";

const WAITING = "from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";

const codesOf = async (writes: readonly Promise<unknown>[]) =>
  (await Promise.allSettled(writes)).map((outcome) =>
    outcome.status === "fulfilled" ? "done" : ((outcome.reason as { code?: string }).code ?? String(outcome.reason)),
  );

const namesIn = async (catalog: Catalog, albumId: string) => {
  const pages = await pagesOf((start) => catalog.images({ albumId, orderBy: "name", limit: 100, ...start }));
  return pages.flatMap(({ items }) => items.map(({ name }) => name)).toSorted();
};

async function createdEvents(catalog: Catalog): Promise<readonly string[]> {
  let names: readonly string[] = [];
  // They are readable a moment after the change.
  for (let before = -1; names.length !== before; await Bun.sleep(100)) {
    before = names.length;
    const { events } = await catalog.events({ after: { ...(await catalog.log()), seq: 0 }, limit: 1000 });
    names = events
      .filter(({ type }) => type === "imagestore.image.created")
      .map(({ data }) => (JSON.parse(data) as { name: string }).name);
  }
  return names.toSorted();
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

  describe("changes that would wait for each other", () => {
    test("go together: one transaction runs, and takes the next with all that came meanwhile", async () => {
      await using store = await openWithLockedAlbum();
      const { catalog, album } = store;
      const names = Array.from({ length: 30 }, (_, index) => `i${String(index).padStart(2, "0")}`);
      const writes = names.map((name) => createImage(catalog, album, name));
      await store.letGo();
      expect((await Promise.all(writes)).map(({ name }) => name)).toEqual(names);
      expect(store.sizes).toEqual([1, 30]);
      const all = [...names, "first", "there"].toSorted();
      expect(await namesIn(catalog, album.id)).toEqual(all);
      expect(await createdEvents(catalog)).toEqual(all);
      expect((await catalog.album("a"))?.imageCount).toBe(32);
    });

    test("do not hold up those of another album, nor take all connections", async () => {
      await using store = await openWithLockedAlbum();
      const { catalog, album } = store;
      const waiting = Array.from({ length: 20 }, (_, index) => createImage(catalog, album, `i${index}`));
      const other = await createAlbum(catalog, "b");
      for (const name of ["x", "y"]) await createImage(catalog, other, name);
      await catalog.write({ type: "reserveBlobs", blobs: [blobOf("r")] });
      expect(new Set(waiting.map((write) => Bun.peek.status(write)))).toEqual(new Set(["pending"]));
      await store.letGo();
      await Promise.all(waiting);
    });

    test("are refused each for itself", async () => {
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
      await store.letGo();
      expect(await codesOf(writes)).toEqual([
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

    test("one that fails after it wrote takes no other with it", async () => {
      await using store = await openWithLockedAlbum();
      const { catalog, album } = store;
      const swept = imageNamed("swept", { blob: { ...blobOf("swept"), reserved: true } });
      const writes = [createImage(catalog, album, "b"), put(catalog, album, [swept]), createImage(catalog, album, "c")];
      await store.letGo();
      expect(await codesOf(writes)).toEqual(["done", "upload_expired", "done"]);
      expect(await createdEvents(catalog)).toEqual(["b", "c", "first", "there"]);
    });

    test.each([
      // What only one of them can be the cause of.
      ["22021", ["done", "internal", "done"], 3],
      // What all of them would only wait for again.
      ["55P03", ["busy", "busy", "busy"], 1],
    ] as const)("the server's %s is of one, or of all", async (code, expected, attempts) => {
      await using store = await openWithLockedAlbum();
      const { catalog, album, database } = store;
      await database.query(`
        create sequence attempts;
        create function fail() returns trigger language plpgsql as $$ begin
          if new.name = 'bad' then perform nextval('attempts'); raise exception 'no' using errcode = '${code}'; end if;
          return new; end $$;
        create trigger fail before insert on images for each row execute function fail()`);
      const writes = ["b", "bad", "c"].map((name) => createImage(catalog, album, name));
      await store.letGo();
      expect(await codesOf(writes)).toEqual([...expected]);
      expect(await database.query("select last_value::integer from attempts")).toEqual([{ last_value: attempts }]);
    });

    test("are all done on other connections when theirs goes", async () => {
      await using store = await openWithLockedAlbum();
      const { catalog, album, database } = store;
      await database.query(`
        create function hold_up() returns trigger language plpgsql as $$ begin
          if new.name <> 'first' then perform pg_advisory_xact_lock(1); end if; return new; end $$;
        create trigger hold_up before insert on images for each row execute function hold_up();
        select pg_advisory_lock(1)`);
      const writes = Array.from({ length: 6 }, (_, index) => createImage(catalog, album, `i${index}`));
      await store.letGo();
      while ((await database.query(`select pg_terminate_backend(pid) ${WAITING}`)).length === 0) await Bun.sleep(5);
      await database.query("select pg_advisory_unlock(1)");
      await Promise.all(writes);
      expect(store.sizes).toEqual([1, 3, 3]);
      expect((await catalog.album("a"))?.imageCount).toBe(8);
    });

    test("when all are refused there is nothing to commit", async () => {
      await using store = await openWithLockedAlbum();
      const { catalog, album } = store;
      const writes = ["there", "nowhere"].map((name) =>
        catalog.write({ type: "updateImage", albumId: album.id, name, patch: {}, preconditions: { ifMatch: [] } }),
      );
      await store.letGo();
      expect(await codesOf(writes)).toEqual(["precondition_failed", "image_not_found"]);
      expect(store.sizes).toEqual([1]);
    });

    test("wait for a time and in a number that are bounded, and leave room for those of another album", async () => {
      await using store = await openWithLockedAlbum({ maxWaiting: 8 });
      const { catalog, album } = store;
      const writes = Array.from({ length: 7 }, (_, index) => createImage(catalog, album, `i${index}`));
      expect(await codesOf(writes.slice(4))).toEqual(["busy", "busy", "busy"]);
      await createImage(catalog, await createAlbum(catalog, "b"), "x");
      // The first has the lock to wait for, and those behind it the first.
      expect(await codesOf(writes)).toEqual(Array.from({ length: 7 }, () => "busy"));
      await store.letGo();
      await createImage(catalog, album, "i0");
    });

    test("under an idempotency key go alone", async () => {
      await using store = await openWithLockedAlbum();
      const { catalog, album } = store;
      const keyed = (key: string): PutImages => ({
        type: "putImages",
        albumId: album.id,
        mode: "create",
        images: [imageNamed(key)],
        idempotency: { scope: "s", key, fingerprint: "f" },
      });
      const writes = ["k", "l"].map((key) => catalog.write(keyed(key)));
      await store.letGo();
      expect((await Promise.all(writes)).map(({ replayed }) => replayed)).toEqual([false, false]);
      expect(store.sizes).toEqual([1, 1, 1]);
    });
  });
}
