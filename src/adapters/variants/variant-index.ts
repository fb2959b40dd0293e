import type { Database, Statement } from "bun:sqlite";
import type { LogPosition } from "../../domain/event.ts";
import type { Rendered, VariantOwner } from "../../ports.ts";
import type { CachedFile } from "../files/cached-files.ts";
import { inTransaction, isBusy, openIndexDatabase, removeIndexDatabase } from "./index-database.ts";

/** What the cache knows of each of its files. Every call may throw what SQLite does; then nothing was changed. */
export interface VariantIndex extends Disposable {
  readonly totals: { readonly bytes: number; readonly entries: number };
  /** Counts as a use, where the last one that was kept is older than the resolution. */
  find(name: string): IndexedVariant | undefined;
  /** Answers the files that are to go: what had the name, and what was not used for longest, until all is in the budget. */
  put(variant: NewVariant): { replaced: readonly CachedFile[]; evicted: readonly CachedFile[] };
  /** Its bytes are what the index says: known from now on, until the next start. */
  markSound(file: CachedFile): void;
  remove(files: readonly CachedFile[]): void;
  /** Answers the files that are to go, since the budget is smaller than it was. */
  trim(): readonly CachedFile[];
  filesOfImage(imageId: string, exceptSha256: string | undefined): readonly CachedFile[];
  /** All whose names begin so. */
  files(prefix: string): readonly CachedFile[];
  refuse(name: string, owner: VariantOwner, message: string): void;
  refusal(name: string): string | undefined;
  removeRefusals(imageId: string, exceptSha256: string | undefined): void;
  position(): LogPosition | undefined;
  setPosition(position: LogPosition): void;
}

export interface NewVariant extends CachedFile, Rendered {
  readonly owner: VariantOwner;
}

export interface IndexedVariant extends CachedFile, Rendered {
  /** Its bytes were written, or looked at, since the start: nothing before it was synced. */
  readonly isSound: boolean;
}

export interface VariantIndexOptions {
  readonly maxBytes: number;
  /** Milliseconds in which uses count as one, so that what is read often is not written often. */
  readonly useResolution: number;
}

/** Uses that wait to be written together. */
const MOST_USES = 256;
const MOST_REFUSALS = 10_000;
/** A picture may have been refused because the machine had no memory or time for it just then. */
const REFUSAL_MS = 60 * 60 * 1000;
const BLOCK = 4096;

/** What a file takes of the disk, and of the budget: a block at least, which bounds the number of files too. */
export const budgetBytes = (size: number): number => Math.max(1, Math.ceil(size / BLOCK)) * BLOCK;

/**
 * What is in the file, or an empty index where that cannot be read.
 * @throws Error when another process has it
 */
export function openVariantIndex(path: string, options: VariantIndexOptions): VariantIndex {
  try {
    return createVariantIndex(openIndexDatabase(path), options);
  } catch (error) {
    if (isBusy(error)) throw new Error(`Another server uses this cache of variants: ${path}`, { cause: error });
  }
  return openFreshVariantIndex(path, options);
}

/** In memory where the disk takes none: then the cache is lost at the end, and nothing else. */
export function openFreshVariantIndex(path: string, options: VariantIndexOptions): VariantIndex {
  try {
    removeIndexDatabase(path);
    return createVariantIndex(openIndexDatabase(path), options);
  } catch {
    return createVariantIndex(openIndexDatabase(":memory:"), options);
  }
}

function createVariantIndex(db: Database, { maxBytes, useResolution }: VariantIndexOptions): VariantIndex {
  const statements: Statement[] = [];
  const prepare = <Row, Values extends (string | number | null)[] = []>(sql: string) => {
    const statement = db.prepare<Row, Values>(sql);
    statements.push(statement);
    return statement;
  };
  const sized = `coalesce(sum(max(1, (size + ${BLOCK - 1}) / ${BLOCK}) * ${BLOCK}), 0) as bytes, count(*) as entries`;
  const selectTotals = prepare<{ bytes: number; entries: number }>(`select ${sized} from variants`);
  const selectState = prepare<{ run: number; epoch: number | null; seq: number | null }>("select * from state");
  const updatePosition = prepare<null, [number, number]>("update state set epoch = ?1, seq = ?2");
  const selectLastUse = prepare<{ usedAt: number | null }>("select max(used_at) as usedAt from variants");
  const selectVariant = prepare<VariantRow, [string]>(
    `select name, generation, content_type as contentType, size, sha256, used_at as usedAt, sound_in as soundIn
     from variants where name = ?1`,
  );
  const selectOldest = prepare<CachedFile>("select name, generation from variants order by used_at limit 1");
  const selectOfImage = prepare<CachedFile, [string, string | null]>(
    "select name, generation from variants where image_id = ?1 and source_sha256 is not ?2",
  );
  const selectFiles = prepare<CachedFile, [string, string]>(
    "select name, generation from variants where name >= ?1 and name < ?2",
  );
  const insertVariant = prepare<null, [string, string, string, string, string, number, string, number, number]>(
    "insert into variants values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
  );
  const updateUse = prepare<null, [string, number, number]>(
    "update variants set used_at = ?2, sound_in = ?3 where name = ?1",
  );
  const deleteVariant = prepare<{ size: number }, [string, string]>(
    "delete from variants where name = ?1 and generation = ?2 returning size",
  );
  const selectRefusal = prepare<{ message: string }, [string, number]>(
    "select message from refusals where name = ?1 and refused_at > ?2",
  );
  const insertRefusal = prepare<null, [string, string, string, string, number]>(
    "insert or replace into refusals (name, image_id, source_sha256, message, refused_at) values (?1, ?2, ?3, ?4, ?5)",
  );
  const deleteOldRefusals = prepare<null, [number]>(
    "delete from refusals where id <= (select max(id) from refusals) - ?1",
  );
  const deleteRefusalsOfImage = prepare<null, [string, string | null]>(
    "delete from refusals where image_id = ?1 and source_sha256 is not ?2",
  );
  const deleteRefusal = prepare<null, [string]>("delete from refusals where name = ?1");

  let { bytes, entries } = selectTotals.get() ?? { bytes: 0, entries: 0 };
  const run = selectState.get()?.run ?? 0;
  let lastUse = selectLastUse.get()?.usedAt ?? 0;
  /** By name: what the rows do not say yet. */
  const uses = new Map<string, { usedAt: number; soundIn: number }>();

  /** Milliseconds since 1970, or a little more, so that no two uses have the same. */
  const nextUse = () => (lastUse = Math.max(lastUse + 1, Date.now()));

  function writeUses(): void {
    for (const [name, { usedAt, soundIn }] of uses) updateUse.run(name, usedAt, soundIn);
  }

  /** All or nothing, the totals too. */
  function change<Result>(work: (forget: (file: CachedFile) => void) => Result): Result {
    const before = { bytes, entries };
    const forget = ({ name, generation }: CachedFile) => {
      const gone = deleteVariant.get(name, generation);
      if (gone === null) return;
      bytes -= budgetBytes(gone.size);
      entries--;
    };
    try {
      const result = inTransaction(db, () => {
        writeUses();
        return work(forget);
      });
      uses.clear();
      return result;
    } catch (error) {
      ({ bytes, entries } = before);
      throw error;
    }
  }

  const isOverBudget = () => bytes > maxBytes;

  function evict(forget: (file: CachedFile) => void): readonly CachedFile[] {
    const evicted: CachedFile[] = [];
    while (isOverBudget()) {
      const oldest = selectOldest.get();
      if (oldest === null) throw new Error("What is kept is less than it seems.");
      forget(oldest);
      evicted.push(oldest);
    }
    return evicted;
  }

  function use(name: string, soundIn: number): void {
    uses.set(name, { usedAt: nextUse(), soundIn });
    if (uses.size >= MOST_USES) writeUsesAlone();
  }

  /** Best effort: without it, something that is used may have to be made again. */
  function writeUsesAlone(): void {
    try {
      change(() => undefined);
    } catch {
      uses.clear();
    }
  }

  return {
    get totals() {
      return { bytes, entries };
    },

    find(name) {
      const row = selectVariant.get(name);
      if (row === null) return undefined;
      const { usedAt, soundIn } = uses.get(name) ?? row;
      if (Math.max(Date.now(), lastUse) - usedAt >= useResolution) use(name, soundIn);
      const { generation, contentType, size, sha256 } = row;
      return { name, generation, contentType, size, sha256, isSound: soundIn === run };
    },

    put({ name, generation, owner, contentType, size, sha256 }) {
      return change((forget) => {
        const former = selectVariant.get(name);
        if (former !== null) forget(former);
        deleteRefusal.run(name);
        insertVariant.run(name, generation, owner.imageId, owner.sha256, contentType, size, sha256, nextUse(), run);
        bytes += budgetBytes(size);
        entries++;
        return { replaced: former === null ? [] : [former], evicted: evict(forget) };
      });
    },

    markSound({ name, generation }) {
      const row = selectVariant.get(name);
      if (row?.generation === generation) use(name, run);
    },

    remove(gone) {
      // Most images that are deleted have nothing here.
      if (gone.length > 0) change((forget) => gone.forEach(forget));
    },

    trim: () => (isOverBudget() ? change(evict) : []),
    filesOfImage: (imageId, exceptSha256) => selectOfImage.all(imageId, exceptSha256 ?? null),
    files: (prefix) => selectFiles.all(prefix, `${prefix}g`),

    refuse(name, owner, message) {
      change(() => {
        insertRefusal.run(name, owner.imageId, owner.sha256, message, Date.now());
        deleteOldRefusals.run(MOST_REFUSALS);
      });
    },

    refusal: (name) => selectRefusal.get(name, Date.now() - REFUSAL_MS)?.message,

    removeRefusals(imageId, exceptSha256) {
      deleteRefusalsOfImage.run(imageId, exceptSha256 ?? null);
    },

    position() {
      const { epoch = null, seq = null } = selectState.get() ?? {};
      return epoch === null || seq === null ? undefined : { epoch, seq };
    },

    setPosition({ epoch, seq }) {
      updatePosition.run(epoch, seq);
    },

    [Symbol.dispose]() {
      writeUsesAlone();
      for (const statement of statements) statement.finalize();
      db.close();
    },
  };
}

interface VariantRow extends CachedFile, Rendered {
  readonly usedAt: number;
  /** The run of the store in which its bytes were last known to be sound. */
  readonly soundIn: number;
}
