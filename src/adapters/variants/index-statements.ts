import type { Database, Statement } from "bun:sqlite";
import type { Rendered } from "../../ports.ts";
import type { CachedFile } from "../disk-cache/cached-files.ts";

/** A row of the table `variants`, as far as a read needs it. */
export interface VariantRow extends CachedFile, Rendered {
  readonly usedAt: number;
  /** The last run of the store in which its bytes were known to have the digest. */
  readonly verifiedIn: number;
}

export type IndexStatements = ReturnType<typeof prepareStatements>;

/** `blockBytes`: what a file takes of the budget is a multiple of it, and at least one. */
export function prepareStatements(db: Database, blockBytes: number) {
  const statements: Statement[] = [];
  const prepare = <Row, Values extends (string | number | null)[] = []>(sql: string) => {
    const statement = db.prepare<Row, Values>(sql);
    statements.push(statement);
    return statement;
  };
  return {
    selectTotals: prepare<{ bytes: number; entries: number }>(
      `select coalesce(sum(max(1, (size + ${blockBytes - 1}) / ${blockBytes}) * ${blockBytes}), 0) as bytes, count(*) as entries
       from variants`,
    ),
    selectState: prepare<{ run: number; epoch: number | null; seq: number | null }>("select * from state"),
    updatePosition: prepare<null, [number, number]>("update state set epoch = ?1, seq = ?2"),
    selectLastUse: prepare<{ usedAt: number | null }>("select max(used_at) as usedAt from variants"),
    selectVariant: prepare<VariantRow, [string]>(
      `select name, generation, content_type as contentType, size, sha256, used_at as usedAt, sound_in as verifiedIn
       from variants where name = ?1`,
    ),
    selectOldest: prepare<CachedFile>("select name, generation from variants order by used_at limit 1"),
    selectOfImage: prepare<CachedFile, [string, string | null]>(
      "select name, generation from variants where image_id = ?1 and source_sha256 is not ?2",
    ),
    selectFiles: prepare<CachedFile, [string, string]>(
      "select name, generation from variants where name >= ?1 and name < ?2",
    ),
    insertVariant: prepare<null, [string, string, string, string, string, number, string, number, number]>(
      "insert into variants values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    ),
    updateUse: prepare<null, [string, number, number]>(
      "update variants set used_at = ?2, sound_in = ?3 where name = ?1",
    ),
    deleteVariant: prepare<{ size: number }, [string, string]>(
      "delete from variants where name = ?1 and generation = ?2 returning size",
    ),
    selectRefusal: prepare<{ message: string }, [string, number]>(
      "select message from refusals where name = ?1 and refused_at > ?2",
    ),
    insertRefusal: prepare<null, [string, string, string, string, number]>(
      "insert or replace into refusals (name, image_id, source_sha256, message, refused_at) values (?1, ?2, ?3, ?4, ?5)",
    ),
    deleteOldRefusals: prepare<null, [number]>("delete from refusals where id <= (select max(id) from refusals) - ?1"),
    deleteRefusalsOfImage: prepare<null, [string, string | null]>(
      "delete from refusals where image_id = ?1 and source_sha256 is not ?2",
    ),
    deleteRefusal: prepare<null, [string]>("delete from refusals where name = ?1"),
    finalize() {
      for (const statement of statements) statement.finalize();
    },
  };
}
