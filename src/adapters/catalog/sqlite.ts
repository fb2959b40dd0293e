import { dirname } from "node:path";
import type { Catalog } from "../../ports.ts";
import { migrate, migrateUnserved } from "./migrations/sqlite.ts";
import { logState } from "./queries/events.ts";
import { createQueries, readStoreId } from "./queries.ts";
import { type ColdDetector, createColdDetector } from "./sqlite/cold-detector.ts";
import { openConnection } from "./sqlite/connection.ts";
import { lockFolder } from "./sqlite/lock.ts";
import { openSqliteReader } from "./sqlite/reader.ts";
import { createRecentReader } from "./sqlite/recent-reader.ts";
import { refuseHalfRestored } from "./sqlite/restore.ts";
import { type BatchReport, createWriteQueue } from "./sqlite/write-queue.ts";
import type { Writer } from "./sqlite/writer.ts";
import { createSqliteWriter } from "./sqlite/writer.ts";
import { startWriterThread } from "./sqlite/writer-thread.ts";

export interface SqliteCatalogOptions {
  /** Path of the database file. Its folder must exist. */
  readonly path: string;
  /** `true` for a server, which locks the folder; `false` for a subcommand beside a server. */
  readonly exclusive: boolean;
  /**
   * `thread` (default) keeps reads from waiting for writes, and other work from waiting for reads of the disk; `inline` is enough for
   * a process that ends soon.
   */
  readonly writer?: "thread" | "inline";
  /** Decides when reads run on threads: by default while they wait for the disk, and never beside an `inline` writer. */
  readonly coldDetector?: ColdDetector;
  /** The outcome of the last write is unknown, or the writer died. The process should end; the next start recovers. */
  readonly onFatal: (error: Error) => void;
  readonly observe?: (batch: BatchReport) => void;
  /** Changes that may wait; above it, `busy`. */
  readonly maxWaiting?: number;
}

/** SQLite numbers an event in its transaction. */
const NONE_UNNUMBERED = { events: 0, oldest: null };

/**
 * The embedded catalog.
 * @throws StoreOpenError if another server uses the folder; a newer version wrote the catalog, or an older one did and a server
 * uses it; a restore was interrupted; or SQLite would not be durable
 */
export async function openSqliteCatalog(options: SqliteCatalogOptions): Promise<Catalog> {
  const { path, maxWaiting, observe, onFatal } = options;
  await using opening = new AsyncDisposableStack();
  if (options.exclusive) opening.use(lockFolder(dirname(path)));
  refuseHalfRestored(path);
  const writer = await openWriter(options);
  opening.defer(() => writer.close());
  const { coldDetector = options.writer === "inline" ? undefined : createColdDetector() } = options;
  const reader = opening.use(openSqliteReader(path, coldDetector));
  const storeId = await reader.read(readStoreId);

  const listeners = new Set<() => void>();
  const onAppended = () => {
    for (const listener of listeners) listener();
  };
  const queries = createQueries(reader, {
    now: Date.now,
    unnumbered: () => NONE_UNNUMBERED,
  });
  const { forget, ...recent } = createRecentReader(queries, { remember: options.exclusive });
  const forgetting: Writer = { ...writer, run: (changes) => writer.run(changes).finally(forget) };
  const queue = createWriteQueue(forgetting, { maxWaiting, observe, onAppended, onFatal });
  opening.defer(queue.drain);
  const stack = opening.move();

  return {
    storeId,
    shared: false,
    write: queue.write,
    ...queries,
    ...recent,
    probe: async () => void (await reader.read(logState)),

    onEvents: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function openWriter({ path, exclusive, writer }: SqliteCatalogOptions): Promise<Writer> {
  const db = openConnection(path, { readonly: false });
  try {
    if (exclusive) migrate(db);
    else migrateUnserved(db);
  } catch (error) {
    db.close();
    throw error;
  }
  if (writer === "inline") return createSqliteWriter(db);
  db.close(true);
  return startWriterThread(path);
}
