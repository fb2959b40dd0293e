import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { serveReader, startReaderThread } from "../../../../src/adapters/catalog/sqlite/reader-thread.ts";
import { createAlbum } from "../../../catalog-changes.ts";
import { expectCode } from "../../../errors.ts";
import { serveHere } from "../../../served-thread.ts";
import { rejectionOf } from "../../../waiting.ts";
import { useCatalogFolder } from "../open-sqlite.ts";

const { at, open, openDatabase } = useCatalogFolder();

const COUNT = "select count(*) as n from albums";
const start = () => startReaderThread(at.path, { onRead: () => undefined });

describe("SQLite reader thread", () => {
  test("sees what is committed when a read begins, and in a snapshot what was when that began", async () => {
    await using catalog = await open();
    await using thread = await start();
    const count = () => thread.driver.get(COUNT);
    expect(await count()).toEqual({ n: 0 });
    await createAlbum(catalog, "a");
    expect(await count()).toEqual({ n: 1 });
    const begun = thread.begin();
    expect(await count()).toEqual({ n: 1 });
    await begun;
    await createAlbum(catalog, "b");
    expect(await count()).toEqual({ n: 1 });
    thread.end();
    expect(await count()).toEqual({ n: 2 });
    expect(await thread.driver.all("select name from albums where name > $1 order by name", ["a"])).toEqual([
      { name: "b" },
    ]);
    expect(await thread.driver.get("select 1 from albums where name = 'none'")).toBeUndefined();
  });

  test("maps the errors of the engine, and goes on", async () => {
    openDatabase().close();
    await using thread = await start();
    await expectCode(Promise.resolve(thread.driver.get("select x from missing")), "internal");
    await thread.begin();
    await expectCode(thread.begin(), "internal");
    thread.end();
    thread.end();
    await thread.begin();
    thread.end();
    expect(await thread.driver.get(COUNT)).toEqual({ n: 0 });
    await expectCode(startReaderThread(join(at.folder, "missing", "c"), { onRead: () => undefined }), "unavailable");
  });

  test("runs no statement that changes rows", async () => {
    openDatabase().close();
    await using thread = await start();
    const refused = await rejectionOf(Promise.resolve(thread.driver.run("delete from albums")));
    expect(refused.message).toContain("changes rows");
    await expectCode(Promise.resolve(thread.driver.get("delete from albums returning 1")), "unavailable");
  });

  test("that dies makes its reads unavailable", async () => {
    openDatabase().close();
    const worker = new Worker(
      new URL("../../../../src/adapters/catalog/sqlite/reader-worker.ts", import.meta.url).href,
    );
    await using thread = await startReaderThread(at.path, { onRead: () => undefined, worker });
    expect(thread.isDead).toBe(false);
    worker.terminate();
    await expectCode(Promise.resolve(thread.driver.get(COUNT)), "unavailable");
    expect(thread.isDead).toBe(true);
  });

  test("answers over any channel, and tells of each statement whether it read the disk", async () => {
    openDatabase().close();
    using thread = serveHere(serveReader);
    const code = "internal";
    expect(await thread.ask({ sql: COUNT, only: "all" })).toMatchObject({ result: { error: { code } } });
    expect(await thread.ask({ open: at.path })).toEqual({ result: {} });
    const readDisk = expect.any(Boolean) as boolean;
    expect(await thread.ask({ sql: COUNT, only: "all" })).toEqual({ result: { value: [{ n: 0 }], readDisk } });
    expect(await thread.ask({ sql: COUNT, only: "first" })).toEqual({ result: { value: { n: 0 }, readDisk } });
    for (const transaction of ["begin", "end", "end"])
      expect(await thread.ask({ transaction })).toEqual({ result: {} });
    expect(await thread.ask({ sql: "nonsense", only: "all" })).toMatchObject({ result: { error: { code } } });
    expect(await thread.ask({ close: true })).toEqual({ result: {} });
  });
});
