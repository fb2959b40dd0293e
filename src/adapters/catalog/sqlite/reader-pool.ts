import { createLimit } from "../../../concurrency/limit.ts";
import type { MaybePromise } from "../../../concurrency/maybe-promise.ts";
import { StoreError } from "../../../domain/errors.ts";
import type { Driver } from "../driver.ts";
import type { ReaderThread } from "./reader-thread.ts";

/** A disk serves several reads at once. Each thread takes some 15 MB. */
const THREADS = 4;
/** As for changes. */
const MAX_WAITING = 4096;

/** Runs queries on threads, which it starts when it needs them. */
export interface ReaderPool extends AsyncDisposable {
  /**
   * @param query must not await anything but the driver
   * @throws StoreError
   */
  run<Value>(query: (db: Driver) => MaybePromise<Value>, options: { readonly inSnapshot: boolean }): Promise<Value>;
}

export function createReaderPool(start: () => Promise<ReaderThread>, size = THREADS): ReaderPool {
  const limit = createLimit(size);
  /** The thread that was used last is used next, so few reads start few threads. */
  const idle: ReaderThread[] = [];
  const running = new Set<Promise<unknown>>();
  let closing = false;

  const take = async (): Promise<ReaderThread> => {
    for (let thread = idle.pop(); thread !== undefined; thread = idle.pop()) if (!thread.isDead) return thread;
    return start();
  };

  return {
    async run(query, { inSnapshot }) {
      if (closing) throw new StoreError("unavailable", "The store is stopping.");
      if (running.size >= MAX_WAITING)
        throw new StoreError("busy", "Too many reads are waiting for the catalog. Try again.");
      const work = limit(async () => {
        const thread = await take();
        try {
          return await (inSnapshot ? runInSnapshot(thread, query) : query(thread.driver));
        } finally {
          idle.push(thread);
        }
      });
      running.add(work);
      try {
        return await work;
      } finally {
        running.delete(work);
      }
    },
    async [Symbol.asyncDispose]() {
      closing = true;
      await Promise.allSettled(running);
      await Promise.all(idle.map((thread) => thread[Symbol.asyncDispose]()));
    },
  };
}

async function runInSnapshot<Value>(thread: ReaderThread, query: (db: Driver) => MaybePromise<Value>): Promise<Value> {
  const begun = thread.begin();
  begun.catch(() => undefined);
  try {
    const value = await query(thread.driver);
    await begun;
    return value;
  } finally {
    thread.end();
  }
}
