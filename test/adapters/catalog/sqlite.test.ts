import type { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { MIGRATIONS } from "../../../src/adapters/catalog/migrations/sqlite.ts";
import { afterPrefix, MAX_ENTRIES } from "../../../src/adapters/catalog/queries/ranges.ts";
import type { ColdDetector } from "../../../src/adapters/catalog/sqlite/cold-detector.ts";
import { openConnection, requireVersion } from "../../../src/adapters/catalog/sqlite/connection.ts";
import { createSqliteDriver } from "../../../src/adapters/catalog/sqlite/driver.ts";
import { lockFolder } from "../../../src/adapters/catalog/sqlite/lock.ts";
import { StoreOpenError } from "../../../src/domain/open-error.ts";
import type { OrderBy } from "../../../src/domain/page.ts";
import type { ImageQuery } from "../../../src/ports.ts";
import { createAlbum, createImage, describeImage, imageNamed, namesOf, pagesOf, put } from "../../catalog-changes.ts";
import { catalogContract } from "../../contracts/catalog.ts";
import { expectCode } from "../../errors.ts";
import { openDatabaseFile } from "../../open-database-file.ts";
import { useCatalogFolder } from "./open-sqlite.ts";
import { statementsOfReads } from "./statements-of-reads.ts";

const { at, open, openDatabase } = useCatalogFolder();

/** All reads run on threads. */
const COLD: ColdDetector = { isCold: () => true, note: () => undefined, watch: (statement) => statement() };

for (const writer of ["inline", "thread"] as const) catalogContract(`SQLite, writer ${writer}`, () => open({ writer }));
catalogContract("SQLite, reads on threads", () => open({ coldDetector: COLD }));

const reasonOf = async (opening: () => unknown): Promise<string | undefined> => {
  try {
    await opening();
    return undefined;
  } catch (error) {
    if (!(error instanceof StoreOpenError)) throw error;
    return error.reason;
  }
};

test.each([
  ["inline", "here"],
  ["thread", "here"],
  ["thread", "on threads"],
] as const)("reads see the last acknowledged write (writer: %s; reads: %s)", async (writer, place) => {
  const reads = place === "here" ? {} : { coldDetector: COLD };
  await using catalog = await open({ writer, ...reads });
  await using beside = await open({ exclusive: false, ...reads });
  const album = await createAlbum(catalog, "a");
  const { id } = await createImage(catalog, album, "i");
  const readers = [catalog, beside].flatMap((one) => [
    () => one.contentById(id, "all"),
    () => one.content("a", "i", "all"),
  ]);
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

describe("opening a SQLite catalog", () => {
  test("connections have durable settings, and opening verifies them", async () => {
    await using _ = await open();
    for (const readonly of [true, false]) {
      using db = openConnection(at.path, { readonly });
      const pragma = (name: string) => Object.values(db.query(`pragma ${name}`).get() as object)[0] as unknown;
      expect(["journal_mode", "synchronous", "foreign_keys", "busy_timeout"].map(pragma)).toEqual(["wal", 2, 1, 5000]);
    }
    // A database in memory has no write-ahead log.
    expect(await reasonOf(() => openConnection(":memory:", { readonly: false }))).toBe("unsafe_engine");
  });

  test("a SQLite version that can damage data is refused", async () => {
    for (const version of ["3.51.2", "3.50.9", "3.7.17", "2.99.99"])
      expect(await reasonOf(() => requireVersion(version))).toBe("unsafe_engine");
    for (const version of ["3.51.3", "3.52.0", "4.0.0"])
      expect(await reasonOf(() => requireVersion(version))).toBeUndefined();
  });

  test("a catalog of a newer version is refused and not changed", async () => {
    {
      using db = openDatabase();
      db.run("pragma user_version = 99");
    }
    expect(await reasonOf(() => open())).toBe("newer_version");
    using db = openDatabaseFile(at.path);
    expect(db.query("pragma user_version").get()).toEqual({ user_version: 99 });
    db.run(`pragma user_version = ${MIGRATIONS.length}`);
    await using _ = await open();
  });

  test("a catalog that is opened again has the same id, records and sequence numbers", async () => {
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
    // The last connection that closes leaves everything in the one file.
    expect((await readdir(at.folder)).toSorted()).toEqual(["catalog.sqlite", "lock.sqlite"]);

    catalog = await open();
    expect(catalog.storeId).toBe(storeId);
    expect(await catalog.log()).toEqual(log);
    expect(await catalog.albumsBeingDeleted(10)).toEqual([album.id]);
    expect(await catalog.write({ type: "deleteAlbumChunk", albumId: album.id, limit: 9 })).toEqual({ done: true });
    await catalog.write({ type: "pruneEvents", retention: -60_000, maxBytes: null, limit: 100 });
    const { lastSequence } = await catalog.log();
    await catalog[Symbol.asyncDispose]();

    await using again = await open();
    await createAlbum(again, "b");
    expect(await again.log()).toMatchObject({
      epoch: log.epoch,
      prunedThrough: lastSequence,
      lastSequence: lastSequence + 1,
    });
  });

  test("a second server is refused; readers may open the catalog beside a server", async () => {
    await using server = await open();
    expect(await reasonOf(() => open())).toBe("folder_in_use");
    await using beside = await open({ exclusive: false });
    await createAlbum(beside, "from beside");
    expect(await server.album("from beside", "all")).toBeDefined();
    await createAlbum(server, "from the server");
    expect(await beside.album("from the server", "all")).toBeDefined();
    expect((await beside.log()).lastSequence).toBe(2);
  });

  test("the lock is released when its process ends or is killed", async () => {
    const holder = Bun.spawn([process.execPath, join(import.meta.dir, "sqlite", "lock-holder.ts"), at.folder], {
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

describe("SQLite driver", () => {
  test("$2 binds the second value, wherever it stands", async () => {
    using db = openDatabase();
    const driver = createSqliteDriver(db);
    const sql = "select $2 as second, $1 as first, $2 as again for no key update";
    expect(await driver.get(sql, ["one", "two"])).toEqual({ second: "two", first: "one", again: "two" });
  });

  test("the statement cache is bounded", async () => {
    using db = openDatabase();
    const driver = createSqliteDriver(db);
    for (let number = 0; number < 1000; number++)
      expect(await driver.get(`select ${number} as n`)).toEqual({ n: number });
  });

  test("an old snapshot of another connection does not hide new writes", async () => {
    await using catalog = await open();
    await createAlbum(catalog, "a");
    using other = openConnection(at.path, { readonly: true });
    const suspended = other.query("select 1 from events union all select 2").iterate();
    suspended.next();
    await createAlbum(catalog, "b");
    expect(await catalog.album("b", "all")).toBeDefined();
    expect((await catalog.albums({ visibility: "all", orderBy: "name", limit: 9 })).items).toHaveLength(2);
    suspended.return?.(undefined);
  });

  test("all texts with one prefix lie in one range", () => {
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

function planOf(db: Database, sql: string): readonly string[] {
  const plan = db.query(`explain query plan ${sql.replace(/\$(\d+)/g, "?$1")}`).all() as { detail: string }[];
  return plan.map(({ detail }) => detail);
}

/**
 * Those that sort, or read a whole table or index. A limited subquery has at most a window of rows, which may be read one by
 * one; so may an index where a limit ends the walk.
 */
function slowSteps(sql: string, steps: readonly string[]): readonly string[] {
  const isLimited = (step: string) => {
    const name = /^SCAN (\w+)$/.exec(step)?.[1] ?? "";
    return steps.includes(`CO-ROUTINE ${name}`) && new RegExp(`\\blimit \\S+\\) ${name}\\b`).test(sql);
  };
  const isWalk = (step: string) => /^SCAN \w+ USING (COVERING )?INDEX/.test(step) && /\blimit\b/.test(sql);
  return steps.filter((step) => /TEMP B-TREE|AUTOMATIC|^SCAN/.test(step) && !isLimited(step) && !isWalk(step));
}

describe("SQLite query plans", () => {
  // Aliases are those of limited subqueries in statements of the store.
  test.each([
    ["select name from albums where title = 'x'", ["SCAN albums"]],
    ["select t0_0.name from albums t0_0 where t0_0.title = 'x'", ["SCAN t0_0"]],
    ["select count(*) from (select seq from events where data > 'x' order by seq limit 5) c", ["SCAN events"]],
    ["select sum(n) from (select album_id, count(*) as n from images group by album_id) c", ["SCAN images", "SCAN c"]],
    ["select count(*) from images", ["SCAN images"]],
    ["select count(*) from (select id from images where tags = 'x' order by id limit 5) c", []],
  ] as const)("the check of query plans finds the slow steps of %s: %j", (sql, slow) => {
    using db = openDatabase();
    expect(slowSteps(sql, planOf(db, sql)).map((step) => step.replace(/ USING .*/, ""))).toEqual([...slow]);
  });

  test("every read uses an index and sorts nothing", async () => {
    using db = openDatabase();
    const statements = await statementsOfReads(createSqliteDriver(db), { manyPass: true });

    expect(statements.size).toBeGreaterThan(100);
    for (const sql of statements.keys()) {
      const steps = planOf(db, sql);
      const slow = slowSteps(sql, steps);
      // At most a page of each type.
      const ofEvents = sql.includes(" f cross join events e");
      const sorted = ofEvents ? slow.filter((step) => step !== "USE TEMP B-TREE FOR ORDER BY") : slow;
      expect({ sql, slow: sorted }).toEqual({ sql, slow: [] });
      if (!ofEvents) continue;
      const types = sql.match(/type = /g)?.length ?? 0;
      const entered =
        /^SEARCH events USING COVERING INDEX events_(album \(album_id=\? AND |type \()type=\? AND rowid>\? AND rowid<\?\)$/;
      expect({ sql, entered: steps.filter((step) => entered.test(step)).length }).toEqual({ sql, entered: types });
      // Two bounds on the side where the walk begins, and the engine might enter by the farther one.
      expect(sql).not.toMatch(/\((\S+), \S+\) > \(.*and \1 >= /);
      expect(sql).not.toMatch(/\((\S+), \S+\) < \(.*and \1 < /);
      // Where the listing goes on, it goes on by a search.
      if (/\) [<>] \(/.test(sql) && !sql.includes("count(*)"))
        expect({ sql, first: steps[0] }).toEqual({ sql, first: expect.stringMatching(/^SEARCH/) });
    }
  });
});

describe("3,000 matches among 30,000 images", () => {
  const [ALL, MATCHES, PAGE] = [30_000, 3000, 50];
  /** By an index each: the last tenth by name and by time, also within an album. */
  const fill = () => {
    using db = openDatabase();
    db.run(
      "insert into albums (id, name, metadata, revision, created_at, updated_at) values ('a', 'a', '{}', 1, 0, 0)",
    );
    db.run(
      `with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ?1)
       insert into images (id, album_id, name, metadata, tags, content_type, size, sha256, width, height, frames, has_alpha,
         orientation, described, taken_at, revision, created_at, updated_at)
       select printf('i%06d', n), 'a', case when n > ?2 then 'z' else 'b' end || printf('%06d', n), '{}', '[]',
         case when n > ?2 then 'image/gif' else 'image/jpeg' end, 1, case when n > ?2 then 's' else 'x' end, 1, 1, 1, 0, 1, 1,
         n, 1, n, -n from numbers`,
      [ALL, ALL - MATCHES],
    );
    db.run("insert into image_tags (tag, image_id) select 't', id from images where content_type = 'image/gif'");
  };

  test("every page is full, whatever the filter, order and scope", async () => {
    await using catalog = await open();
    fill();
    const filters: [Partial<ImageQuery>, (orderBy: OrderBy) => boolean][] = [
      [{ contentType: "image/gif" }, () => true],
      [{ tag: "t" }, () => true],
      [{ sha256: "s" }, () => true],
      [{ q: "z" }, (orderBy) => orderBy !== "name"],
      [{ createdAfter: ALL - MATCHES }, (orderBy) => orderBy !== "createdAt"],
      [{ takenAfter: ALL - MATCHES }, (orderBy) => orderBy !== "takenAt"],
      // One that all pass, beside one that few do.
      [{ q: "z", createdAfter: 0 }, () => true],
    ];
    for (const [filter, walks] of filters)
      for (const orderBy of ["name", "createdAt", "-updatedAt", "takenAt"] as const)
        for (const scope of [{}, { albumId: "a" }]) {
          if (!walks(orderBy)) continue;
          const pages = await pagesOf((start) =>
            catalog.images({ visibility: "all", ...filter, ...scope, orderBy, limit: PAGE, ...start }),
          );
          const sizes = pages.map(({ items }) => items.length);
          const expected = Array.from({ length: MATCHES / PAGE }, () => PAGE);
          expect({ filter, orderBy, scope, sizes }).toEqual({ filter, orderBy, scope, sizes: expected });
        }
  });
});

test("the few images without takenAt are found among many, in every scope", async () => {
  await using catalog = await open();
  const many = MAX_ENTRIES + 50;
  const [dated, undated] = [await createAlbum(catalog, "dated"), await createAlbum(catalog, "undated")];
  const images = Array.from({ length: many }, (_, index) => imageNamed(`i${String(index).padStart(5, "0")}`));
  await put(catalog, dated, images);
  const isDated = (index: number) => ![3, 1000, many - 2].includes(index);
  const takenAt = (index: number) => new Date((many - index) * 1000).toISOString();
  for (let start = 0; start < many; start += 1000)
    await Promise.all(
      images.slice(start, start + 1000).map(async ({ id, blob }, index) => {
        if (isDated(start + index)) await describeImage(catalog, id, blob.key, { takenAt: takenAt(start + index) });
      }),
    );
  const list = async () => {
    const query = { albumId: dated.id, orderBy: "-takenAt", limit: 1000 } as const;
    return namesOf(
      (await pagesOf((start) => catalog.images({ visibility: "all", ...query, ...start }))).flatMap(
        ({ items }) => items,
      ),
    );
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

test("an invalid statement is internal, and the next statement runs", async () => {
  await using catalog = await open();
  {
    using db = openDatabaseFile(at.path);
    db.run("drop table image_tags");
    db.run("drop table images");
  }
  await expectCode(catalog.image("a", "i1", "all"), "internal");
  await expectCode(catalog.images({ visibility: "all", orderBy: "name", limit: 5 }), "internal");
  expect((await catalog.albums({ visibility: "all", orderBy: "name", limit: 5 })).items).toEqual([]);
});
