import { describe, expect, test } from "bun:test";
import type { Driver } from "../../../../src/adapters/catalog/driver.ts";
import { createReaderPool } from "../../../../src/adapters/catalog/sqlite/reader-pool.ts";
import type { ReaderThread } from "../../../../src/adapters/catalog/sqlite/reader-thread.ts";
import { expectCode } from "../../../errors.ts";
import { rejectionOf } from "../../../waiting.ts";

/** A pool of two threads that only log what they are asked. */
function fakePool() {
  const log: string[] = [];
  const threads: { isDead: boolean }[] = [];
  const start = (): Promise<ReaderThread> => {
    const name = threads.length;
    const say = (what: string) => void log.push(`${name} ${what}`);
    const driver = { get: (sql: string) => Promise.resolve(say(sql)) } as unknown as Driver;
    const thread = {
      driver,
      begin: () => Promise.resolve(say("begin")),
      end: () => say("end"),
      isDead: false,
      [Symbol.asyncDispose]: () => Promise.resolve(say("close")),
    };
    threads.push(thread);
    return Promise.resolve(thread);
  };
  return { log, threads, pool: createReaderPool(start, 2) };
}

const select = (sql: string) => async (db: Driver) => void (await db.get(sql));
const selectAndFail = async (db: Driver) => {
  await db.get("a");
  throw new Error("no");
};
const ALONE = { inSnapshot: false };

describe("a pool of reader threads", () => {
  test("runs as many reads at once as it has threads, and starts these when reads need them", async () => {
    const { pool, log, threads } = fakePool();
    await pool.run(select("a"), ALONE);
    await pool.run(select("b"), ALONE);
    expect(log).toEqual(["0 a", "0 b"]);

    let running = 0;
    let most = 0;
    const slow = async () => {
      most = Math.max(most, ++running);
      await Bun.sleep(1);
      running--;
    };
    await Promise.all(Array.from({ length: 6 }, () => pool.run(slow, ALONE)));
    expect({ running, most }).toEqual({ running: 0, most: 2 });
    expect(threads).toHaveLength(2);
  });

  test("has the statements of a snapshot between its begin and its end, also when one fails", async () => {
    const { pool, log } = fakePool();
    expect((await rejectionOf(pool.run(selectAndFail, { inSnapshot: true }))).message).toBe("no");
    await pool.run(select("b"), { inSnapshot: true });
    expect(log).toEqual(["0 begin", "0 a", "0 end", "0 begin", "0 b", "0 end"]);
  });

  test("fails a snapshot that could not begin", async () => {
    const thread = { driver: { get: () => 1 }, begin: () => Promise.reject(new Error("no")), end: () => undefined };
    const pool = createReaderPool(() => Promise.resolve(thread as unknown as ReaderThread));
    expect((await rejectionOf(pool.run((db) => db.get("a"), { inSnapshot: true }))).message).toBe("no");
  });

  test("replaces a thread that has died", async () => {
    const { pool, log, threads } = fakePool();
    await pool.run(select("a"), ALONE);
    for (const thread of threads) thread.isDead = true;
    await pool.run(select("b"), ALONE);
    expect(log).toEqual(["0 a", "1 b"]);
  });

  test("refuses reads beyond 4,096 that wait", async () => {
    const { pool } = fakePool();
    const reads = Array.from({ length: 4096 }, () => pool.run(select("a"), ALONE));
    await expectCode(pool.run(select("b"), ALONE), "busy");
    await Promise.all(reads);
    await pool.run(select("b"), ALONE);
  });

  test("closes its threads once all reads have ended, and refuses later ones", async () => {
    const { pool, log } = fakePool();
    const reads = ["a", "b", "c"].map((sql) => pool.run(select(sql), ALONE));
    const closed = pool[Symbol.asyncDispose]();
    await expectCode(pool.run(select("d"), ALONE), "unavailable");
    await closed;
    expect(log.slice(0, 3).map((line) => line.slice(2))).toEqual(["a", "b", "c"]);
    expect(log.slice(3).toSorted()).toEqual(["0 close", "1 close"]);
    await Promise.all(reads);
  });
});
