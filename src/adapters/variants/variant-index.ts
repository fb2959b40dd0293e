import type { Database } from "bun:sqlite";
import type { LogPosition } from "../../domain/event.ts";
import type { Rendered, VariantOwner } from "../../ports.ts";
import {
  BLOCK_BYTES,
  budgetBytes,
  type CacheEntry,
  type CacheIndex,
  type IndexSource,
} from "../disk-cache/cache-index.ts";
import { type CachedFile, type CachedFiles, SHARDS } from "../disk-cache/cached-files.ts";
import { inTransaction, isBusy, isCorrupt, openIndexDatabase, removeIndexDatabase } from "./index-database.ts";
import { type IndexStatements, prepareStatements } from "./index-statements.ts";

/** What the cache of variants knows of its files, in SQLite. */
export interface VariantIndex extends CacheIndex<NewVariant> {
  /** Counts as a use if the last recorded use is older than the resolution. */
  find(name: string): IndexedVariant | undefined;
  /** Returns the files to remove because the budget became smaller. */
  trim(): readonly CachedFile[];
  filesOfImage(imageId: string, exceptSha256: string | undefined): readonly CachedFile[];
  /** Files whose name has that prefix. */
  files(prefix: string): readonly CachedFile[];
  refuse(name: string, owner: VariantOwner, message: string): void;
  refusal(name: string): string | undefined;
  removeRefusals(imageId: string, exceptSha256: string | undefined): void;
  position(): LogPosition | undefined;
  setPosition(position: LogPosition): void;
}

export interface IndexedVariant extends CacheEntry, Rendered {}

export interface NewVariant extends IndexedVariant {
  readonly owner: VariantOwner;
}

export interface VariantIndexOptions {
  readonly maxBytes: number;
  /** Milliseconds in which uses count as one, so that a variant that is read often is not written often. */
  readonly useResolution: number;
}

/** Uses that are collected before they are written together. */
const MOST_USES = 256;
const MOST_REFUSALS = 10_000;
/** A refusal may have had a passing reason: too little memory or time at that moment. */
const REFUSAL_MS = 60 * 60 * 1000;
const VERIFIED = Promise.resolve();

/** The index at that path. */
export function variantIndexAt(path: string, options: VariantIndexOptions): IndexSource<VariantIndex> {
  /** In memory where the disk takes no file: then the cache ends with the process, and nothing else is lost. */
  function openFresh(): VariantIndex {
    try {
      removeIndexDatabase(path);
      return createVariantIndex(openIndexDatabase(path), options);
    } catch {
      return createVariantIndex(openIndexDatabase(":memory:"), options);
    }
  }

  return {
    open() {
      try {
        return createVariantIndex(openIndexDatabase(path), options);
      } catch (error) {
        if (isBusy(error)) throw new Error(`Another server uses this cache of variants: ${path}`, { cause: error });
        return openFresh();
      }
    },
    openFresh,
    isCorrupt,
    reconcile,
  };
}

/** Removes entries without a file. Files without an entry, and what is over the budget, are to be removed. */
async function reconcile(index: VariantIndex, files: CachedFiles): Promise<readonly CachedFile[]> {
  const unknown: CachedFile[] = [];
  for (const shard of SHARDS) {
    const present = await files.list(shard);
    const known = index.files(shard);
    if (present.length === 0 && known.length === 0) continue;
    const presentIds = new Set(present.map(idOf));
    const knownIds = new Set(known.map(idOf));
    index.remove(known.filter((file) => !presentIds.has(idOf(file))));
    unknown.push(...present.filter((file) => !knownIds.has(idOf(file))));
  }
  return [...unknown, ...index.trim()];
}

const idOf = ({ name, generation }: CachedFile): string => `${name}.${generation}`;

function createVariantIndex(db: Database, { maxBytes, useResolution }: VariantIndexOptions): VariantIndex {
  const sql = prepareStatements(db, BLOCK_BYTES);
  const run = sql.selectState.get()?.run ?? 0;
  const uses = createUses(sql);
  const ledger = createLedger(db, sql, uses, maxBytes);

  /** Best effort: without it, a variant that is used may be evicted and rendered again. */
  function writeUses(): void {
    try {
      ledger.change(() => undefined);
    } catch {
      uses.clear();
    }
  }

  function use(name: string, verifiedIn: number): void {
    if (uses.add(name, verifiedIn) >= MOST_USES) writeUses();
  }

  return {
    ...createRefusals(sql, (work) => ledger.change(work)),
    get totals() {
      return ledger.totals;
    },
    find(name) {
      const row = sql.selectVariant.get(name);
      if (row === null) return undefined;
      const { usedAt, verifiedIn } = uses.get(name) ?? row;
      if (uses.now() - usedAt >= useResolution) use(name, verifiedIn);
      const { generation, contentType, size, sha256 } = row;
      return { name, generation, contentType, size, sha256, verified: verifiedIn === run ? VERIFIED : undefined };
    },
    put({ name, generation, owner, contentType, size, sha256 }) {
      return ledger.change(() => {
        const former = sql.selectVariant.get(name);
        if (former !== null) ledger.forget(former);
        sql.deleteRefusal.run(name);
        const usedAt = uses.next();
        sql.insertVariant.run(name, generation, owner.imageId, owner.sha256, contentType, size, sha256, usedAt, run);
        ledger.add(size);
        return { replaced: former === null ? [] : [former], evicted: ledger.evict() };
      });
    },
    markVerified({ name, generation }) {
      const row = sql.selectVariant.get(name);
      if (row?.generation === generation) use(name, run);
    },
    remove(removed) {
      // Most images that are deleted have no variants here.
      if (removed.length > 0) ledger.change(() => removed.forEach(ledger.forget));
    },
    trim: () => (ledger.totals.bytes > maxBytes ? ledger.change(ledger.evict) : []),
    filesOfImage: (imageId, exceptSha256) => sql.selectOfImage.all(imageId, exceptSha256 ?? null),
    files: (prefix) => sql.selectFiles.all(prefix, `${prefix}g`),
    position() {
      const { epoch = null, seq = null } = sql.selectState.get() ?? {};
      return epoch === null || seq === null ? undefined : { epoch, seq };
    },
    setPosition: ({ epoch, seq }) => void sql.updatePosition.run(epoch, seq),
    [Symbol.dispose]() {
      writeUses();
      sql.finalize();
      db.close();
    },
  };
}

/** Totals of the rows, kept in step with them, and the budget. */
function createLedger(db: Database, sql: IndexStatements, uses: Uses, maxBytes: number) {
  let { bytes, entries } = sql.selectTotals.get() ?? { bytes: 0, entries: 0 };

  function forget({ name, generation }: CachedFile): void {
    const gone = sql.deleteVariant.get(name, generation);
    if (gone === null) return;
    bytes -= budgetBytes(gone.size);
    entries--;
  }

  return {
    get totals() {
      return { bytes, entries };
    },
    add(size: number): void {
      bytes += budgetBytes(size);
      entries++;
    },
    forget,
    /** Forgets the least recently used until the rest is within the budget, and returns them. */
    evict(this: void): readonly CachedFile[] {
      const evicted: CachedFile[] = [];
      while (bytes > maxBytes) {
        const oldest = sql.selectOldest.get();
        if (oldest === null) throw new Error("The totals count more than the index holds.");
        forget(oldest);
        evicted.push(oldest);
      }
      return evicted;
    },
    /** Runs `work` in a transaction: all or nothing, the totals and the collected uses included. */
    change<Result>(work: () => Result): Result {
      const before = { bytes, entries };
      try {
        const result = inTransaction(db, () => {
          uses.write();
          return work();
        });
        uses.clear();
        return result;
      } catch (error) {
        ({ bytes, entries } = before);
        throw error;
      }
    },
  };
}

type Uses = ReturnType<typeof createUses>;
type Change = <Result>(work: () => Result) => Result;

function createRefusals(
  sql: IndexStatements,
  change: Change,
): Pick<VariantIndex, "refuse" | "refusal" | "removeRefusals"> {
  return {
    refuse(name, owner, message) {
      change(() => {
        sql.insertRefusal.run(name, owner.imageId, owner.sha256, message, Date.now());
        sql.deleteOldRefusals.run(MOST_REFUSALS);
      });
    },
    refusal: (name) => sql.selectRefusal.get(name, Date.now() - REFUSAL_MS)?.message,
    removeRefusals: (imageId, exceptSha256) => void sql.deleteRefusalsOfImage.run(imageId, exceptSha256 ?? null),
  };
}

/** Uses that the rows do not have yet, by name. */
function createUses(sql: IndexStatements) {
  const pending = new Map<string, VariantUse>();
  let last = sql.selectLastUse.get()?.usedAt ?? 0;
  /** Milliseconds since 1970, never earlier than the last use. */
  const now = () => Math.max(Date.now(), last);
  /** Milliseconds since 1970, or a little more, so that no two uses are equal. */
  const next = () => (last = Math.max(last + 1, Date.now()));
  return {
    now,
    next,
    get: (name: string) => pending.get(name),
    /** Returns how many are collected. */
    add(name: string, verifiedIn: number): number {
      pending.set(name, { usedAt: next(), verifiedIn });
      return pending.size;
    },
    write(): void {
      for (const [name, { usedAt, verifiedIn }] of pending) sql.updateUse.run(name, usedAt, verifiedIn);
    },
    clear: () => pending.clear(),
  };
}

interface VariantUse {
  readonly usedAt: number;
  readonly verifiedIn: number;
}
