import { Database } from "bun:sqlite";
import { describe, expect, spyOn, test } from "bun:test";
import { join } from "node:path";
import { createContext } from "../../../../src/adapters/catalog/changes/context.ts";
import { applyChange } from "../../../../src/adapters/catalog/changes.ts";
import { findAlbum } from "../../../../src/adapters/catalog/queries/albums.ts";
import { findImage } from "../../../../src/adapters/catalog/queries/images.ts";
import { openConnection } from "../../../../src/adapters/catalog/sqlite/connection.ts";
import { createSqliteDriver } from "../../../../src/adapters/catalog/sqlite/driver.ts";
import { createWriteQueue } from "../../../../src/adapters/catalog/sqlite/write-queue.ts";
import type { Writer } from "../../../../src/adapters/catalog/sqlite/writer.ts";
import { createSqliteWriter } from "../../../../src/adapters/catalog/sqlite/writer.ts";
import { serveWriter, startWriterThread } from "../../../../src/adapters/catalog/sqlite/writer-thread.ts";
import type { PutImages } from "../../../../src/domain/change.ts";
import { deserializeError } from "../../../../src/domain/errors.ts";
import { albumNamed, createAlbum, imageNamed } from "../../../catalog-changes.ts";
import { expectCode } from "../../../errors.ts";
import { serveHere } from "../../../served-thread.ts";
import { rejectionOf } from "../../../waiting.ts";
import { failTest, useCatalogFolder } from "../open-sqlite.ts";

const { at, open, openDatabase } = useCatalogFolder();

const bulky = (name: string) =>
  albumNamed(name, { fields: { title: null, description: "x".repeat(4000), metadata: {} } });
const damage = async (page: number) => {
  const bytes = await Bun.file(at.path).bytes();
  bytes.fill(0xff, (page - 1) * 4096, page * 4096);
  await Bun.write(at.path, bytes);
};
const queueOf = (writer: Writer) => {
  const fatal = Promise.withResolvers<Error>();
  return { fatal, queue: createWriteQueue(writer, { onAppended: () => undefined, onFatal: fatal.resolve }) };
};

describe("SQLite writer", () => {
  test("a full disk rolls the batch back and fails its changes; the next batch can succeed", async () => {
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

  test("a change that fails does not affect the others in its batch", async () => {
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
    const cause = { message: expect.stringContaining("UNIQUE constraint failed") as string };
    expect(outcomes[3]).toMatchObject({ error: { cause } });
    expect(db.query("select count(*) as n from events").get()).toEqual({ n: 3 });
    await writer.close();
  });

  test("a change that fails after writing is rolled back, and the others are applied once", async () => {
    const db = openDatabase();
    const writer = createSqliteWriter(db);
    const album = albumNamed("album");
    await writer.run([album]);
    const put = (name: string, ...more: string[]): PutImages => ({
      type: "putImages",
      albumId: album.id,
      mode: "create",
      images: [name, ...more].map((each) => imageNamed(each)),
      idempotency: { scope: "s", key: name, fingerprint: "f" },
    });
    const { outcomes, appended } = await writer.run([put("a"), put("b", "a"), put("c")]);
    expect(outcomes).toMatchObject([{ value: {} }, { error: { code: "image_exists" } }, { value: {} }]);
    expect(appended).toBe(true);
    expect(db.query("select name from images order by name").all()).toEqual([{ name: "a" }, { name: "c" }]);
    expect(db.query("select key from idempotency order by key").all()).toEqual([{ key: "a" }, { key: "c" }]);
    expect(db.query("select count(*) as blobs from blobs").get()).toEqual({ blobs: 2 });
    expect(db.query("select head from log_state").get()).toEqual({ head: 3 });
    expect(db.query("select image_count from albums").get()).toEqual({ image_count: 2 });
    await writer.close();
  });

  test("a full disk at the commit rolls the batch back; the next batch can succeed", async () => {
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

  test("a failed commit ends the writer and reports an unknown outcome", async () => {
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

  test("a damaged file ends the writer", async () => {
    const db = openDatabase();
    const { rootpage } = db.query("select rootpage from sqlite_master where name = 'albums_name'").get() as {
      rootpage: number;
    };
    db.close(true);
    await damage(rootpage);
    const fatal: Error[] = [];
    {
      await using catalog = await open({ onFatal: (error) => fatal.push(error) });
      await expectCode(catalog.album("a", "all"), "unavailable");
      await expectCode(catalog.albums({ visibility: "all", orderBy: "name", limit: 5 }), "unavailable");
      await expectCode(createAlbum(catalog, "a"), "unavailable");
      await expectCode(createAlbum(catalog, "b"), "unavailable");
      expect(fatal).toHaveLength(1);
      expect(String(fatal[0]?.cause)).toContain("malformed");
      expect((await catalog.log()).lastSequence).toBe(0);
    }
    // The next is that of the table `store`.
    await damage(2);
    await expectCode(open(), "unavailable");
  });

  test("a batch is busy while another process writes for long, and nothing is lost", async () => {
    using other = openDatabase();
    const db = openConnection(at.path, { readonly: false });
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
    await applyChange(driver, createContext(5000), album);
    const image = imageNamed("i");
    await applyChange(driver, createContext(5000), {
      type: "putImages",
      albumId: album.id,
      mode: "create",
      images: [image],
    });
    const patch = { title: "later" };
    await applyChange(driver, createContext(4000), { type: "updateAlbum", albumId: album.id, patch });
    await applyChange(driver, createContext(4000), { type: "updateImage", albumId: album.id, name: "i", patch });
    const expected = { createdAt: "1970-01-01T00:00:05.000Z", updatedAt: "1970-01-01T00:00:05.000Z", revision: 2 };
    expect(await findAlbum(driver, "a", "all")).toMatchObject(expected);
    expect((await findImage(driver, "a", "i", "all"))?.image).toMatchObject(expected);
  });
});

describe("SQLite write queue", () => {
  test("concurrent changes share a commit", async () => {
    const sizes: number[] = [];
    await using catalog = await open({ observe: ({ batchSize, seconds }) => sizes.push(seconds > 0 ? batchSize : -1) });
    await Promise.all(Array.from({ length: 100 }, (_, index) => createAlbum(catalog, `a${index}`)));
    expect(sizes).toEqual([100]);
  });

  test("a full queue refuses changes", async () => {
    await using catalog = await open({ maxWaiting: 3 });
    const writes = ["a", "b", "c", "d"].map((name) => createAlbum(catalog, name));
    await expectCode(writes[3] as Promise<unknown>, "busy");
    await Promise.all(writes.slice(0, 3));
    await createAlbum(catalog, "d");
  });

  test("closing writes what is queued and refuses later changes", async () => {
    const catalog = await open({ writer: "thread" });
    const waiting = Array.from({ length: 600 }, (_, index) => createAlbum(catalog, `a${index}`));
    const disposed = catalog[Symbol.asyncDispose]();
    await expectCode(createAlbum(catalog, "late"), "unavailable");
    await Promise.all(waiting);
    await disposed;
    await using again = await open();
    expect((await again.log()).lastSequence).toBe(600);
  });

  test("after a failed commit nothing is written, not even at close", async () => {
    const sizes: number[] = [];
    const error = { code: "unavailable", message: "no sync", errors: [], members: {} } as const;
    const failing: Writer = {
      run: async (changes) => {
        sizes.push(changes.length);
        return { outcomes: changes.map(() => ({ error })), appended: false, fatal: error };
      },
      close: () => Promise.resolve(),
      death: new Promise(() => undefined),
    };
    const { queue, fatal } = queueOf(failing);
    const writes = Array.from({ length: 600 }, (_, index) => queue.write(albumNamed(`a${index}`)));
    const drained = queue.drain();
    for (const write of writes) await expectCode(write, "unavailable");
    await drained;
    expect((await fatal.promise).message).toBe("no sync");
    expect(sizes).toEqual([512]);
  });

  test("a writer that answers fewer changes than it got leaves no change pending", async () => {
    const mute: Writer = {
      run: () => Promise.resolve({ outcomes: [], appended: false }),
      close: () => Promise.resolve(),
      death: new Promise(() => undefined),
    };
    const queue = createWriteQueue(mute, { onAppended: () => undefined, onFatal: failTest });
    await expectCode(queue.write(albumNamed("a")), "unavailable");
  });
});

describe("SQLite writer thread", () => {
  test("when the thread dies, pending changes fail and the process is notified", async () => {
    const url = new URL("./dying-writer.ts", import.meta.url).href;
    const { queue, fatal } = queueOf(await startWriterThread(at.path, new Worker(url)));
    const writes = ["a", "b"].map((name) => queue.write(albumNamed(name)));
    for (const write of writes) await expectCode(write, "unavailable");
    expect((await fatal.promise).message).toContain("out of memory");
    await expectCode(queue.write(albumNamed("c")), "unavailable");
  });

  test("when an idle thread dies, the process is notified", async () => {
    openDatabase().close();
    const thread = new Worker(
      new URL("../../../../src/adapters/catalog/sqlite/writer-worker.ts", import.meta.url).href,
    );
    const writer = await startWriterThread(at.path, thread);
    const { queue, fatal } = queueOf(writer);
    thread.terminate();
    expect((await fatal.promise).message).toContain("ended");
    await expectCode(queue.write(albumNamed("a")), "unavailable");
    await writer.close();
  });

  test("an error that prevents opening is reported", async () => {
    const failure = await rejectionOf(startWriterThread(join(at.folder, "missing", "catalog.sqlite")));
    expect(failure.message).toContain("unable to open");
  });

  test("batches are answered in order over any channel", async () => {
    openDatabase().close();
    using thread = serveHere(serveWriter);
    expect(await thread.ask({ run: [] })).toMatchObject({ error: { message: expect.stringContaining("not open") } });
    expect(await thread.ask({ open: at.path })).toEqual({});
    const { result } = (await thread.ask({ run: [albumNamed("a"), albumNamed("a")] })) as {
      result: Awaited<ReturnType<Writer["run"]>>;
    };
    expect(result).toMatchObject({ appended: true, outcomes: [{ value: { replayed: false } }, { error: {} }] });
    const [, refused] = result.outcomes;
    expect(refused && "error" in refused && deserializeError(refused.error).code).toBe("album_exists");
    expect(await thread.ask({ close: true })).toEqual({});
  });
});
