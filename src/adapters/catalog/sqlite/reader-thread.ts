import type { Database } from "bun:sqlite";
import { connectThread, serveRequests, type ThreadPort } from "../../../concurrency/worker-thread.ts";
import { deserializeError, type SerializedError, StoreError, serializeError } from "../../../domain/errors.ts";
import type { Driver, SqlValue } from "../driver.ts";
import { openConnection } from "./connection.ts";
import { openDiskReadCounter } from "./disk-reads.ts";
import { createSqliteDriver, SQLITE_DIALECT } from "./driver.ts";
import { toStoreError } from "./errors.ts";

type Request =
  | { readonly open: string }
  | { readonly sql: string; readonly values: readonly SqlValue[] | undefined; readonly only: "first" | "all" }
  | { readonly transaction: "begin" | "end" }
  | { readonly close: true };

type Reply =
  | { readonly value?: unknown; readonly readDisk?: boolean }
  /** Mapped on the thread, since an error of the engine loses its class on the way. */
  | { readonly error: SerializedError };

/** Enough for the inner pages of indexes, which most reads need. Other pages are in the system's page cache. */
const CACHE_KIB = 4096;

/** Runs on the thread: opens the catalog, runs statement after statement, closes it. */
export function serveReader(port: ThreadPort): void {
  const diskReads = openDiskReadCounter() ?? (() => 0);
  let db: Database | undefined;
  let driver: Driver | undefined;

  const serve = async (request: Request): Promise<Reply> => {
    if ("open" in request) {
      db = openConnection(request.open, { readonly: true, cacheKiB: CACHE_KIB });
      driver = createSqliteDriver(db);
      return {};
    }
    if (db === undefined || driver === undefined) throw new Error("The reader is not open.");
    if ("close" in request) {
      db.close(true);
      return {};
    }
    if ("transaction" in request) {
      // After some failures of the engine, the transaction has ended already.
      if (request.transaction === "begin") await driver.run("begin");
      else if (db.inTransaction) await driver.run("rollback");
      return {};
    }
    const before = diskReads();
    const { sql, values, only } = request;
    const value = only === "first" ? await driver.get(sql, values) : await driver.all(sql, values);
    return { value, readDisk: diskReads() > before };
  };

  serveRequests(port, (request: Request) =>
    serve(request).catch((error: unknown): Reply => ({ error: serializeError(toStoreError(error)) })),
  );
}

/** A read-only connection to the catalog on a thread of its own. Its statements run one after another. */
export interface ReaderThread extends AsyncDisposable {
  readonly driver: Driver;
  /** The statements from now until `end` read one snapshot. They may start before it resolves; if it rejects, they read none. */
  begin(): Promise<void>;
  /** Ends the snapshot, if there is one. */
  end(): void;
  readonly isDead: boolean;
}

export interface ReaderThreadOptions {
  /** Told after each statement whether the disk was read for it. */
  readonly onRead: (readDisk: boolean) => void;
  /** Runs {@link serveReader}. */
  readonly worker?: Worker;
}

/** @throws StoreError */
export async function startReaderThread(
  path: string,
  { onRead, worker = new Worker(new URL("./reader-worker.ts", import.meta.url).href) }: ReaderThreadOptions,
): Promise<ReaderThread> {
  const thread = connectThread<Request>(worker, "reader thread");
  let isDead = false;
  void thread.death.then(() => {
    isDead = true;
  });

  const ask = async (request: Request): Promise<unknown> => {
    const reply = await thread.request<Reply>(request).catch((cause: unknown): never => {
      throw new StoreError("unavailable", "The catalog does not respond.", { cause });
    });
    if ("error" in reply) throw deserializeError(reply.error);
    if (reply.readDisk !== undefined) onRead(reply.readDisk);
    return reply.value;
  };

  try {
    await ask({ open: path });
  } catch (error) {
    thread[Symbol.dispose]();
    throw error;
  }
  return {
    driver: {
      all: <Row>(sql: string, values?: readonly SqlValue[]) => ask({ sql, values, only: "all" }) as Promise<Row[]>,
      get: <Row>(sql: string, values?: readonly SqlValue[]) =>
        ask({ sql, values, only: "first" }) as Promise<Row | undefined>,
      run: () => Promise.reject(new TypeError("A reader thread runs no statement that changes rows.")),
      ...SQLITE_DIALECT,
    },
    begin: async () => void (await ask({ transaction: "begin" })),
    end: () => void ask({ transaction: "end" }).catch(() => undefined),
    get isDead() {
      return isDead;
    },
    async [Symbol.asyncDispose]() {
      using _ = thread;
      // Served after the statements before it. If the thread dies of it, nothing is left to close.
      if (!isDead) await ask({ close: true }).catch(() => undefined);
    },
  };
}
