import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { CatalogOpenError } from "../../src/adapters/catalog/open-error.ts";
import { afterPrefix, WINDOW } from "../../src/adapters/catalog/queries/listing.ts";
import { openConnection, requireVersion } from "../../src/adapters/catalog/sqlite/connection.ts";
import { createSqliteDriver } from "../../src/adapters/catalog/sqlite/driver.ts";
import { lockFolder } from "../../src/adapters/catalog/sqlite/lock.ts";
import { catalogContract } from "./catalog.ts";
import {
  createAlbum,
  createImage,
  describeImage,
  expectCode,
  imageNamed,
  namesOf,
  pagesOf,
  put,
} from "./catalog-changes.ts";
import { statementsOfReads } from "./catalog-reads.ts";
import { useCatalogFolder } from "./catalog-sqlite.ts";

const { at, open, openDatabase } = useCatalogFolder();

for (const writer of ["inline", "thread"] as const) catalogContract(`SQLite, writer ${writer}`, () => open({ writer }));

const reasonOf = async (opening: () => unknown): Promise<string | undefined> => {
  try {
    await opening();
    return undefined;
  } catch (error) {
    if (!(error instanceof CatalogOpenError)) throw error;
    return error.reason;
  }
};

test.each(["inline", "thread"] as const)("contents are as new as the last answer, writer %s", async (writer) => {
  await using catalog = await open({ writer });
  await using beside = await open({ exclusive: false });
  const album = await createAlbum(catalog, "a");
  const { id } = await createImage(catalog, album, "i");
  const readers = [catalog, beside].flatMap((one) => [() => one.contentById(id), () => one.content("a", "i")]);
  const focalPoints = async () => (await Promise.all(readers.map((read) => read()))).map((it) => it?.image.focalPoint);
  for (let step = 0; step < 20; step++) {
    const focalPoint = { x: step / 20, y: 0.5 };
    // Read also while it is being written, when both the old and the new are right.
    const writing = catalog.write({ type: "updateImage", albumId: album.id, name: "i", patch: { focalPoint } });
    await focalPoints();
    await writing;
    expect(await focalPoints()).toEqual([focalPoint, focalPoint, focalPoint, focalPoint]);
  }
  await catalog.write({ type: "deleteImage", albumId: album.id, name: "i" });
  expect(await focalPoints()).toEqual([undefined, undefined, undefined, undefined]);
});

describe("opening", () => {
  test("connections are durable, and checked to be", async () => {
    await using _ = await open();
    for (const readonly of [true, false]) {
      using db = openConnection(at.path, { readonly });
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
    using db = new Database(at.path);
    expect(db.query("pragma user_version").get()).toEqual({ user_version: 99 });
    db.run("pragma user_version = 3");
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
    expect((await readdir(at.folder)).toSorted()).toEqual(["catalog.sqlite", "lock.sqlite"]);

    catalog = await open();
    expect(catalog.storeId).toBe(storeId);
    expect(await catalog.log()).toEqual(log);
    expect(await catalog.albumsBeingDeleted(10)).toEqual([album.id]);
    expect(await catalog.write({ type: "deleteAlbumChunk", albumId: album.id, limit: 9 })).toEqual({ done: true });
    await catalog.write({ type: "pruneEvents", retention: -60_000, maxBytes: null, limit: 100 });
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
    const holder = Bun.spawn([process.execPath, join(import.meta.dir, "fixtures", "lock-holder.ts"), at.folder], {
      stdout: "pipe",
    });
    await holder.stdout.getReader().read();
    expect(await reasonOf(() => lockFolder(at.folder))).toBe("folder_in_use");
    holder.kill("SIGKILL");
    await holder.exited;
    lockFolder(at.folder)[Symbol.dispose]();
    lockFolder(at.folder)[Symbol.dispose]();
    expect(() => lockFolder(join(at.folder, "missing"))).toThrow("unable to open");
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
    using other = openConnection(at.path, { readonly: true });
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
    const statements = await statementsOfReads(createSqliteDriver(db), { manyPass: true });

    expect(statements.size).toBeGreaterThan(100);
    for (const sql of statements.keys()) {
      const plan = db.query(`explain query plan ${sql.replace(/\$(\d+)/g, "?$1")}`).all() as { detail: string }[];
      const steps = plan.map(({ detail }) => detail);
      const slow = steps.filter((step) => /TEMP B-TREE|AUTOMATIC|^SCAN (?!.*USING (COVERING )?INDEX)/.test(step));
      // At most a window of rows.
      const counted = slow.filter((step) => step !== "SCAN c" && step !== "SCAN newest");
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

test("the few images without a time are found among many, also where others have none either", async () => {
  await using catalog = await open();
  const many = WINDOW + 50;
  const [dated, undated] = [await createAlbum(catalog, "dated"), await createAlbum(catalog, "undated")];
  const images = Array.from({ length: many }, (_, index) => imageNamed(`i${String(index).padStart(5, "0")}`));
  await put(catalog, dated, images);
  const isDated = (index: number) => ![3, 1000, many - 2].includes(index);
  const takenAt = (index: number) => new Date((many - index) * 1000).toISOString();
  await Promise.all(
    images.map(async ({ id, blob }, index) => {
      if (isDated(index)) await describeImage(catalog, id, blob.key, { takenAt: takenAt(index) });
    }),
  );
  const list = async () => {
    const query = { albumId: dated.id, orderBy: "-takenAt", limit: 1000 } as const;
    return namesOf((await pagesOf((start) => catalog.images({ ...query, ...start }))).flatMap(({ items }) => items));
  };
  const expected = [
    ...images.filter((_, index) => isDated(index)),
    ...images.filter((_, index) => !isDated(index)).toReversed(),
  ];
  expect(await list()).toEqual(expected.map(({ name }) => name));
  await put(
    catalog,
    undated,
    Array.from({ length: many }, (_, index) => imageNamed(`u${index}`)),
  );
  expect(await list()).toEqual(expected.map(({ name }) => name));
});

test("a statement that cannot run is our fault, and the next one runs", async () => {
  await using catalog = await open();
  {
    using db = new Database(at.path);
    db.run("drop table image_tags");
    db.run("drop table images");
  }
  await expectCode(catalog.image("a", "i1"), "internal");
  await expectCode(catalog.images({ orderBy: "name", limit: 5 }), "internal");
  expect((await catalog.albums({ orderBy: "name", limit: 5 })).items).toEqual([]);
});
