import { describe, expect, test } from "bun:test";
import type { Driver } from "../../../../src/adapters/catalog/driver.ts";
import type { ColdDetector } from "../../../../src/adapters/catalog/sqlite/cold-detector.ts";
import { openSqliteReader } from "../../../../src/adapters/catalog/sqlite/reader.ts";
import { expectCode } from "../../../errors.ts";
import { useCatalogFolder } from "../open-sqlite.ts";

const { at, openDatabase } = useCatalogFolder();

/** Counts the statements of each place. */
function setting(isCold: boolean) {
  const seen = { isCold, here: 0, onThreads: 0 };
  const detector: ColdDetector = {
    isCold: () => seen.isCold,
    note: () => void seen.onThreads++,
    watch: (statement) => {
      seen.here++;
      return statement();
    },
  };
  return { seen, detector };
}

const count = (db: Driver) => db.get("select count(*) as n from albums");

describe("SQLite reads", () => {
  test("run here while the catalog is in memory, and on threads while it is cold", async () => {
    openDatabase().close();
    const { seen, detector } = setting(false);
    await using reader = openSqliteReader(at.path, detector);
    for (const isCold of [false, true, false]) {
      Object.assign(seen, { here: 0, onThreads: 0, isCold });
      expect(await reader.read(count)).toEqual({ n: 0 });
      expect(await reader.snapshot(async (db) => [await count(db), await count(db)])).toEqual([{ n: 0 }, { n: 0 }]);
      expect(seen).toEqual({ isCold, here: isCold ? 0 : 3, onThreads: isCold ? 3 : 0 });
    }
  });

  test.each([false, true])("of a snapshot see what was committed when it began (cold: %p)", async (isCold) => {
    using other = openDatabase();
    await using reader = openSqliteReader(at.path, setting(isCold).detector);
    const during = await reader.snapshot(async (db) => {
      const before = await count(db);
      other.run(
        "insert into albums (id, name, metadata, revision, created_at, updated_at) values ('a', 'a', '{}', 1, 0, 0)",
      );
      return [before, await count(db)];
    });
    expect(during).toEqual([{ n: 0 }, { n: 0 }]);
    expect(await reader.snapshot(count)).toEqual({ n: 1 });
  });

  test.each([false, true])("have mapped errors (cold: %p)", async (isCold) => {
    openDatabase().close();
    await using reader = openSqliteReader(at.path, setting(isCold).detector);
    for (const run of [reader.read, reader.snapshot]) {
      const missing = run((db) => db.get("select x from missing"));
      await expectCode(missing, "internal");
      const bug = run(() => Promise.reject(new TypeError("a bug")));
      await expectCode(bug, "internal");
      expect(await run((db) => db.get("select 1 as one"))).toEqual({ one: 1 });
    }
  });
});
