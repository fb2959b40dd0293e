import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyChange } from "../../src/adapters/catalog/changes.ts";
import type { Driver } from "../../src/adapters/catalog/driver.ts";
import { lockFolder } from "../../src/adapters/catalog/lock.ts";
import { migrate } from "../../src/adapters/catalog/migrations/sqlite.ts";
import { CatalogOpenError } from "../../src/adapters/catalog/open-error.ts";
import { findAlbum, listAlbums } from "../../src/adapters/catalog/queries/albums.ts";
import { readEvents } from "../../src/adapters/catalog/queries/events.ts";
import { findImage, findImageById, listImages } from "../../src/adapters/catalog/queries/images.ts";
import { afterPrefix } from "../../src/adapters/catalog/queries/listing.ts";
import { openSqliteCatalog, type SqliteCatalogOptions } from "../../src/adapters/catalog/sqlite.ts";
import { openConnection, requireVersion } from "../../src/adapters/catalog/sqlite-connection.ts";
import { createSqliteDriver } from "../../src/adapters/catalog/sqlite-driver.ts";
import { createSqliteWriter } from "../../src/adapters/catalog/sqlite-writer.ts";
import { serveWriter, startWriterThread } from "../../src/adapters/catalog/sqlite-writer-thread.ts";
import { createWriteQueue } from "../../src/adapters/catalog/write-queue.ts";
import type { Writer } from "../../src/adapters/catalog/writer.ts";
import { deserializeError } from "../../src/domain/errors.ts";
import { ORDERS } from "../../src/domain/page.ts";
import type { ImageQuery } from "../../src/ports.ts";
import { catalogContract } from "./catalog.ts";
import { albumNamed, createAlbum, expectCode, imageNamed, put } from "./catalog-changes.ts";

// Some make thousands of durable writes, on a disk that others use too.
setDefaultTimeout(60_000);

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "image-store-catalog-"));
  path = join(folder, "catalog.sqlite");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const failTest = (error: Error) => {
  throw error;
};
const open = (more: Partial<SqliteCatalogOptions> = {}) =>
  openSqliteCatalog({ path, exclusive: true, writer: "inline", onFatal: failTest, ...more });

for (const writer of ["inline", "thread"] as const) catalogContract(`SQLite, writer ${writer}`, () => open({ writer }));

/** A migrated database of our own, for what no port shows. */
function openDatabase(): Database {
  const db = openConnection(path, { readonly: false });
  migrate(db);
  return db;
}

const reasonOf = async (opening: () => unknown): Promise<string | undefined> => {
  try {
    await opening();
    return undefined;
  } catch (error) {
    if (!(error instanceof CatalogOpenError)) throw error;
    return error.reason;
  }
};

describe("opening", () => {
  test("connections are durable, and checked to be", async () => {
    await using _ = await open();
    for (const readonly of [true, false]) {
      using db = openConnection(path, { readonly });
      const pragma = (name: string) => Object.values(db.query(`pragma ${name}`).get() as object)[0] as unknown;
      expect(["journal_mode", "synchronous", "foreign_keys", "busy_timeout"].map(pragma)).toEqual(["wal", 2, 1, 5000]);
    }
    // A database in memory has no write-ahead log.
    expect(await reasonOf(() => openConnection(":memory:", { readonly: false }))).toBe("unsafe_engine");
  });

  test("an SQLite that can damage data is refused", async () => {
    for (const version of ["3.51.2", "3.50.9", "3.7.17", "2.99.99"])
      expect(await reasonOf(() => requireVersion(version))).toBe("unsafe_engine");
    for (const version of ["3.51.3", "3.52.0", "4.0.0"])
      expect(await reasonOf(() => requireVersion(version))).toBeUndefined();
  });

  test("a catalog of a newer version is refused and left as it is", async () => {
    {
      using db = openDatabase();
      db.run("pragma user_version = 99");
    }
    expect(await reasonOf(() => open())).toBe("newer_version");
    using db = new Database(path);
    expect(db.query("pragma user_version").get()).toEqual({ user_version: 99 });
    db.run("pragma user_version = 1");
    await using _ = await open();
  });

  test("what was there is there again, with its id and its numbers", async () => {
    let catalog = await open({ writer: "thread" });
    const { storeId } = catalog;
    const album = await createAlbum(catalog, "a");
    await put(
      catalog,
      album,
      Array.from({ length: 5 }, (_, index) => imageNamed(`i${index}`)),
    );
    await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true, atOnce: 1 });
    await catalog.write({ type: "deleteAlbumChunk", albumId: album.id, limit: 2 });
    const log = await catalog.log();
    await catalog[Symbol.asyncDispose]();
    // Whoever closes last leaves everything in the one file.
    expect((await readdir(folder)).toSorted()).toEqual(["catalog.sqlite", "lock.sqlite"]);

    catalog = await open();
    expect(catalog.storeId).toBe(storeId);
    expect(await catalog.log()).toEqual(log);
    expect(await catalog.albumsBeingDeleted(10)).toEqual([album.id]);
    expect(await catalog.write({ type: "deleteAlbumChunk", albumId: album.id, limit: 9 })).toEqual({ done: true });
    await catalog.write({ type: "pruneEvents", olderThan: Date.now() + 60_000, maxBytes: null, limit: 100 });
    const { head } = await catalog.log();
    await catalog[Symbol.asyncDispose]();

    await using again = await open();
    await createAlbum(again, "b");
    expect(await again.log()).toMatchObject({ epoch: log.epoch, floor: head, head: head + 1 });
  });

  test("one server per folder; others open it beside", async () => {
    await using server = await open();
    expect(await reasonOf(() => open())).toBe("folder_in_use");
    await using beside = await open({ exclusive: false });
    await createAlbum(beside, "from beside");
    expect(await server.album("from beside")).toBeDefined();
    await createAlbum(server, "from the server");
    expect(await beside.album("from the server")).toBeDefined();
    expect((await beside.log()).head).toBe(2);
  });

  test("the lock goes with the process that has it, killed or not", async () => {
    const holder = Bun.spawn([process.execPath, join(import.meta.dir, "fixtures", "lock-holder.ts"), folder], {
      stdout: "pipe",
    });
    await holder.stdout.getReader().read();
    expect(await reasonOf(() => lockFolder(folder))).toBe("folder_in_use");
    holder.kill("SIGKILL");
    await holder.exited;
    lockFolder(folder)[Symbol.dispose]();
    lockFolder(folder)[Symbol.dispose]();
    expect(() => lockFolder(join(folder, "missing"))).toThrow("unable to open");
  });
});

describe("the driver", () => {
  test("takes $2 for the second value, wherever it stands", async () => {
    using db = openDatabase();
    const driver = createSqliteDriver(db);
    const sql = "select $2 as second, $1 as first, $2 as again for no key update";
    expect(await driver.get(sql, ["one", "two"])).toEqual({ second: "two", first: "one", again: "two" });
  });

  test("forgets statements before they are too many", async () => {
    using db = openDatabase();
    const driver = createSqliteDriver(db);
    for (let number = 0; number < 1000; number++)
      expect(await driver.get(`select ${number} as n`)).toEqual({ n: number });
  });

  test("another's old snapshot keeps nobody from seeing what was written", async () => {
    await using catalog = await open();
    await createAlbum(catalog, "a");
    using other = openConnection(path, { readonly: true });
    const suspended = other.query("select 1 from events union all select 2").iterate();
    suspended.next();
    await createAlbum(catalog, "b");
    expect(await catalog.album("b")).toBeDefined();
    expect((await catalog.albums({ orderBy: "name", limit: 9 })).items).toHaveLength(2);
    suspended.return?.(undefined);
  });

  test("text that begins with a prefix is in one range", () => {
    const cases: [string, string | null][] = [
      ["a", "b"],
      ["az\u{10ffff}", "a{"],
      ["\ud7ff", "\ue000"],
      ["😀", "😁"],
      ["\u{10ffff}\u{10ffff}", null],
      ["", null],
    ];
    for (const [prefix, end] of cases) expect(afterPrefix(prefix)).toBe(end);
  });
});

describe("query plans", () => {
  test("every read enters an index where it begins, and sorts nothing", async () => {
    using db = openDatabase();
    const statements = new Set<string>();
    const driver = createSqliteDriver(db);
    const recording: Driver = {
      all: <Row>(sql: string, values?: readonly (string | number | null)[]) => {
        statements.add(sql);
        return driver.all<Row>(sql, values);
      },
      get: <Row>(sql: string, values?: readonly (string | number | null)[]) => {
        statements.add(sql);
        // As if every filter let many through, so that none is entered by an index of its own.
        const row = driver.get<Row>(sql, values);
        return sql.startsWith("select count(*)") ? ({ count: 1_000_000 } as Row) : row;
      },
      run: (sql, values) => driver.run(sql, values),
    };
    const watermark = { epoch: 1, seq: 1 };
    const filters: Partial<ImageQuery>[] = [
      {},
      { q: "x" },
      { contentType: "image/png" },
      { tag: "t" },
      { sha256: "s" },
      { createdAfter: 1, createdBefore: 3 },
      { q: "x", tag: "t", contentType: "image/png", sha256: "s", createdAfter: 1 },
    ];
    for (const orderBy of ORDERS)
      for (const key of ["x1", 2, undefined]) {
        if (key !== undefined && orderBy.endsWith("name") !== (typeof key === "string")) continue;
        const start = key === undefined ? {} : { start: { after: { key, id: "i" }, watermark } };
        for (const filter of filters) {
          await listAlbums(recording, { orderBy, limit: 5, ...start, ...("q" in filter && { q: "x" }) });
          for (const scope of [{}, { albumId: "a" }])
            await listImages(recording, { orderBy, limit: 5, ...start, ...filter, ...scope });
        }
      }
    await findAlbum(recording, "a");
    await findImage(recording, "a", "i");
    await findImageById(recording, "i");
    await readEvents(recording, { limit: 5, types: ["imagestore.album.created"], albumId: "a" });

    expect(statements.size).toBeGreaterThan(100);
    for (const sql of statements) {
      const plan = db.query(`explain query plan ${sql.replace(/\$(\d+)/g, "?$1")}`).all() as { detail: string }[];
      const steps = plan.map(({ detail }) => detail);
      const slow = steps.filter((step) => /TEMP B-TREE|AUTOMATIC|^SCAN (?!.*USING (COVERING )?INDEX)/.test(step));
      // A count of at most a window of rows.
      const counted = slow.filter((step) => step !== "SCAN c" || !sql.startsWith("select count(*)"));
      expect({ sql, slow: counted }).toEqual({ sql, slow: [] });
      // Two bounds on the side where the walk begins, and the engine might enter by the farther one.
      expect(sql).not.toMatch(/\((\S+), \S+\) > \(.*and \1 >= /);
      expect(sql).not.toMatch(/\((\S+), \S+\) < \(.*and \1 < /);
      // Where the listing goes on, it goes on by a search.
      if (/\) [<>] \(/.test(sql) && !sql.includes("count(*)"))
        expect({ sql, first: steps[0] }).toEqual({ sql, first: expect.stringMatching(/^SEARCH/) });
    }
  });
});

const bulky = (name: string) =>
  albumNamed(name, { fields: { title: null, description: "x".repeat(4000), metadata: {} } });
const damage = async (page: number) => {
  const bytes = await Bun.file(path).bytes();
  bytes.fill(0xff, (page - 1) * 4096, page * 4096);
  await Bun.write(path, bytes);
};
const at = (now: number) => ({ now, appended: 0 });
const queueOf = (writer: Writer) => {
  const fatal = Promise.withResolvers<Error>();
  return { fatal, queue: createWriteQueue(writer, { onAppended: () => undefined, onFatal: fatal.resolve }) };
};

describe("the writer", () => {
  test("a full disk undoes the batch, answers all of it, and the next one may pass", async () => {
    const db = openDatabase();
    const writer = createSqliteWriter(db);
    await writer.run([albumNamed("before")]);
    const { page_count } = db.query("pragma page_count").get() as { page_count: number };
    db.run(`pragma max_page_count = ${page_count + 10}`);

    const full = await writer.run(Array.from({ length: 20 }, (_, index) => bulky(`a${index}`)));
    expect(full.outcomes).toHaveLength(20);
    for (const outcome of full.outcomes) expect(outcome).toMatchObject({ error: { code: "insufficient_storage" } });
    expect(full).toMatchObject({ appended: false });
    expect(full.fatal).toBeUndefined();
    expect(db.inTransaction).toBe(false);
    expect(db.query("select name from albums").all()).toEqual([{ name: "before" }]);

    db.run("pragma max_page_count = 1000000");
    const next = await writer.run([bulky("after")]);
    expect(next.outcomes).toMatchObject([{ value: { value: { name: "after" } } }]);
    expect(db.query("select count(*) as n from events").get()).toEqual({ n: 2 });
    await writer.close();
  });

  test("a change that fails takes only itself back", async () => {
    const db = openDatabase();
    const writer = createSqliteWriter(db);
    const same = albumNamed("c");
    const { outcomes } = await writer.run([
      albumNamed("a"),
      albumNamed("a"),
      same,
      { ...albumNamed("d"), id: same.id },
      albumNamed("e"),
    ]);
    expect(outcomes.map((outcome) => ("error" in outcome ? outcome.error.code : "done"))).toEqual([
      "done",
      "album_exists",
      "done",
      "internal",
      "done",
    ]);
    expect(outcomes[3]).toMatchObject({ error: { cause: expect.stringContaining("UNIQUE constraint failed") } });
    expect(db.query("select count(*) as n from events").get()).toEqual({ n: 3 });
    await writer.close();
  });

  test("a disk that is full at the commit undoes the batch too, and the next one may pass", async () => {
    const db = openDatabase();
    const writer = createSqliteWriter(db);
    const prepare = db.prepare.bind(db);
    using small = new Database(":memory:");
    small.run("pragma max_page_count = 1");
    const commit = { run: () => small.run("create table too_much (column)") };
    const spy = spyOn(db, "prepare");
    spy.mockImplementation(((sql: string) => (sql === "commit" ? commit : prepare(sql))) as never);
    const result = await writer.run([albumNamed("a"), albumNamed("b")]);
    spy.mockRestore();
    expect(result.outcomes).toHaveLength(2);
    for (const outcome of result.outcomes) expect(outcome).toMatchObject({ error: { code: "insufficient_storage" } });
    expect(result.fatal).toBeUndefined();
    expect(db.inTransaction).toBe(false);
    expect(db.query("select count(*) as n from events").get()).toEqual({ n: 0 });
    await writer.close();
  });

  test("when a commit fails nobody is told that nothing was done, and it is the last", async () => {
    const db = openDatabase();
    db.run("create table watch (album_id text references albums (id) deferrable initially deferred)");
    db.run("create trigger break after insert on events begin insert into watch values ('none'); end");
    const writer = createSqliteWriter(db);
    const result = await writer.run([albumNamed("a"), albumNamed("b")]);
    for (const outcome of result.outcomes) expect(outcome).toMatchObject({ error: { code: "unavailable" } });
    expect(result.fatal).toMatchObject({ code: "unavailable" });
    expect(db.inTransaction).toBe(false);
    await writer.close();
  });

  test("a damaged file is the end", async () => {
    const db = openDatabase();
    const { rootpage } = db.query("select rootpage from sqlite_master where name = 'albums_name'").get() as {
      rootpage: number;
    };
    db.close(true);
    await damage(rootpage);
    const fatal: Error[] = [];
    {
      await using catalog = await open({ onFatal: (error) => fatal.push(error) });
      await expectCode(catalog.album("a"), "unavailable");
      await expectCode(catalog.albums({ orderBy: "name", limit: 5 }), "unavailable");
      await expectCode(createAlbum(catalog, "a"), "unavailable");
      await expectCode(createAlbum(catalog, "b"), "unavailable");
      expect(fatal).toHaveLength(1);
      expect(String(fatal[0]?.cause)).toContain("malformed");
      expect((await catalog.log()).head).toBe(0);
    }
    // The next is that of the table `store`.
    await damage(2);
    await expectCode(open(), "unavailable");
  });

  test("while another writes for long, the batch is busy, and nothing is lost", async () => {
    using other = openDatabase();
    const db = openConnection(path, { readonly: false });
    db.run("pragma busy_timeout = 20");
    const writer = createSqliteWriter(db);
    other.run("begin immediate");
    expect(await writer.run([albumNamed("a")])).toMatchObject({
      outcomes: [{ error: { code: "busy" } }],
      appended: false,
    });
    other.run("commit");
    expect((await writer.run([albumNamed("a")])).fatal).toBeUndefined();
    expect(other.query("select count(*) as n from albums").get()).toEqual({ n: 1 });
    await writer.close();
  });

  test("times of a record never go backwards", async () => {
    using db = openDatabase();
    const driver = createSqliteDriver(db);
    const album = albumNamed("a");
    await applyChange(driver, at(5000), album);
    const image = imageNamed("i");
    await applyChange(driver, at(5000), { type: "putImages", albumId: album.id, mode: "create", images: [image] });
    const patch = { title: "later" };
    await applyChange(driver, at(4000), { type: "updateAlbum", albumId: album.id, patch });
    await applyChange(driver, at(4000), { type: "updateImage", albumId: album.id, name: "i", patch });
    const expected = { createdAt: "1970-01-01T00:00:05.000Z", updatedAt: "1970-01-01T00:00:05.000Z", revision: 2 };
    expect(await findAlbum(driver, "a")).toMatchObject(expected);
    expect((await findImage(driver, "a", "i"))?.image).toMatchObject(expected);
  });
});

describe("the queue", () => {
  test("those that come together share a commit", async () => {
    const sizes: number[] = [];
    await using catalog = await open({ observe: ({ batchSize, seconds }) => sizes.push(seconds > 0 ? batchSize : -1) });
    await Promise.all(Array.from({ length: 100 }, (_, index) => createAlbum(catalog, `a${index}`)));
    expect(sizes).toEqual([100]);
  });

  test("is bounded, and says so", async () => {
    await using catalog = await open({ maxWaiting: 3 });
    const writes = ["a", "b", "c", "d"].map((name) => createAlbum(catalog, name));
    await expectCode(writes[3] as Promise<unknown>, "busy");
    await Promise.all(writes.slice(0, 3));
    await createAlbum(catalog, "d");
  });

  test("what waits when the store stops is still written, nothing after", async () => {
    const catalog = await open({ writer: "thread" });
    const waiting = Array.from({ length: 600 }, (_, index) => createAlbum(catalog, `a${index}`));
    const disposed = catalog[Symbol.asyncDispose]();
    await expectCode(createAlbum(catalog, "late"), "unavailable");
    await Promise.all(waiting);
    await disposed;
    await using again = await open();
    expect((await again.log()).head).toBe(600);
  });

  test("a writer that answers too little leaves nobody waiting", async () => {
    const mute: Writer = {
      run: () => Promise.resolve({ outcomes: [], appended: false }),
      close: () => Promise.resolve(),
      death: new Promise(() => undefined),
    };
    const queue = createWriteQueue(mute, { onAppended: () => undefined, onFatal: failTest });
    await expectCode(queue.write(albumNamed("a")), "unavailable");
  });
});

describe("the writer's thread", () => {
  test("when it dies, all in flight are told, and so is the process", async () => {
    const url = new URL("./fixtures/dying-writer.ts", import.meta.url).href;
    const { queue, fatal } = queueOf(await startWriterThread(path, new Worker(url)));
    const writes = ["a", "b"].map((name) => queue.write(albumNamed(name)));
    for (const write of writes) await expectCode(write, "unavailable");
    expect((await fatal.promise).message).toContain("out of memory");
    await expectCode(queue.write(albumNamed("c")), "unavailable");
  });

  test("when it dies idle, the process is told", async () => {
    openDatabase().close();
    const thread = new Worker(new URL("../../src/adapters/catalog/sqlite-worker.ts", import.meta.url).href);
    const writer = await startWriterThread(path, thread);
    const { queue, fatal } = queueOf(writer);
    thread.terminate();
    expect((await fatal.promise).message).toContain("ended");
    await expectCode(queue.write(albumNamed("a")), "unavailable");
    await writer.close();
  });

  test("what keeps it from opening is told", async () => {
    expect(startWriterThread(join(folder, "missing", "catalog.sqlite"))).rejects.toThrow("unable to open");
  });

  test("answers batch after batch over any channel", async () => {
    openDatabase().close();
    const { port1, port2 } = new MessageChannel();
    serveWriter(port1);
    port1.start();
    port2.start();
    const ask = (request: object) =>
      new Promise<Record<string, unknown>>((resolve) => {
        const answer = (event: Event) =>
          resolve(JSON.parse((event as MessageEvent<string>).data) as Record<string, unknown>);
        port2.addEventListener("message", answer, { once: true });
        port2.postMessage(JSON.stringify(request));
      });
    expect(await ask({ run: [] })).toEqual({ failed: expect.stringContaining("not open") });
    expect(await ask({ open: path })).toEqual({ done: true });
    const { result } = (await ask({ run: [albumNamed("a"), albumNamed("a")] })) as {
      result: Awaited<ReturnType<Writer["run"]>>;
    };
    expect(result).toMatchObject({ appended: true, outcomes: [{ value: { replayed: false } }, { error: {} }] });
    const [, refused] = result.outcomes;
    expect(refused && "error" in refused && deserializeError(refused.error).code).toBe("album_exists");
    expect(await ask({ close: true })).toEqual({ done: true });
    port1.close();
  });
});

test("a statement that cannot run is our fault, and the next one runs", async () => {
  await using catalog = await open();
  {
    using db = new Database(path);
    db.run("drop table image_tags");
    db.run("drop table images");
  }
  await expectCode(catalog.image("a", "i1"), "internal");
  await expectCode(catalog.images({ orderBy: "name", limit: 5 }), "internal");
  expect((await catalog.albums({ orderBy: "name", limit: 5 })).items).toEqual([]);
});
