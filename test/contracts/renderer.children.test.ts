import { afterEach, describe, expect, spyOn, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChildPool, type ChildPoolOptions, createChildPool } from "../../src/adapters/renderer/child-pool.ts";
import { createRenderer } from "../../src/adapters/renderer/renderer.ts";
import { StoreError } from "../../src/domain/errors.ts";
import { expectCode, sha256 } from "./blob-store.ts";
import { PICTURE, quarters } from "./renderer.ts";

interface Job {
  readonly path: string;
}

const entry = join(import.meta.dir, "fixtures", "decoder-child.ts");
const stack: AsyncDisposable[] = [];
afterEach(async () => {
  for (const made of stack.splice(0)) await made[Symbol.asyncDispose]();
});

function newPool<Result = unknown>(options: Partial<ChildPoolOptions> = {}): ChildPool<Job, Result> {
  const limits = { timeLimit: 10_000, memoryLimit: Number.POSITIVE_INFINITY };
  const pool = createChildPool<Job, Result>({ entry, children: 1, queue: 10, ...limits, ...options });
  stack.push(pool);
  return pool;
}

const reasonOf = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);
const membersOf = (work: Promise<unknown>): Promise<unknown> =>
  work.catch((error: unknown) => (error instanceof StoreError ? { code: error.code, ...error.members } : error));

describe("children", () => {
  test("are replaced after so many jobs", async () => {
    const pool = newPool<number>({ jobsPerChild: 3 });
    const pids: number[] = [];
    for (let job = 0; job < 7; job++) pids.push(await pool.run({ path: "pid" }));
    expect(pids).toEqual([0, 0, 0, 3, 3, 3, 6].map((index) => pids[index] ?? 0));
    expect(new Set(pids).size).toBe(3);
  });

  test("come to harm for a reason that can be told from what a decoder says", async () => {
    const pool = newPool({ timeLimit: 1000, memoryLimit: 400 * 1024 * 1024 });
    expect(await membersOf(pool.run({ path: "crash" }))).toEqual({ code: "invalid_image", reason: "crash" });
    expect(await membersOf(pool.run({ path: "hang" }))).toEqual({ code: "invalid_image", reason: "time" });
    if (process.platform !== "linux") return;
    expect(await membersOf(pool.run({ path: "grow" }))).toEqual({ code: "invalid_image", reason: "memory" });
  });

  test("that work are killed when nobody waits any longer, and the next job gets another", async () => {
    const pool = newPool<number>();
    const before = await pool.run({ path: "pid" });
    const leaving = new AbortController();
    const left = reasonOf(pool.run({ path: "hang" }, { signal: leaving.signal }));
    const next = pool.run({ path: "pid" });
    await Bun.sleep(100);
    leaving.abort("nobody waits");
    expect(await left).toBe("nobody waits");
    const after = await next;
    expect(after).not.toBe(before);
    expect(existsSync(`/proc/${before}`)).toBe(false);
  });
});

describe("jobs", () => {
  test("that wait are taken away when nobody waits for them, and are never begun", async () => {
    const pool = newPool<number>();
    const running = pool.run({ path: "slow" });
    const leaving = new AbortController();
    const left = reasonOf(pool.run({ path: "hang" }, { signal: leaving.signal }));
    const behind = pool.run({ path: "pid" });
    leaving.abort("nobody waits");
    expect(await left).toBe("nobody waits");
    await running;
    expect(await behind).toBeGreaterThan(0);
    expect(await reasonOf(pool.run({ path: "hang" }, { signal: leaving.signal }))).toBe("nobody waits");
  });

  test("that are done are left alone by a late signal", async () => {
    const pool = newPool<number>();
    const leaving = new AbortController();
    const first = await pool.run({ path: "pid" }, { signal: leaving.signal });
    leaving.abort();
    expect(await pool.run({ path: "pid" })).toBe(first);
  });

  test("in the background wait behind all others, and take none of their places", async () => {
    const pool = newPool({ queue: 2 });
    const order: string[] = [];
    const run = (name: string, background: boolean) =>
      pool.run({ path: background ? "pid" : "fine" }, { background }).then(() => order.push(name));
    const running = pool.run({ path: "slow" });
    const accepted = [run("a", true), run("b", true), run("1", false), run("2", false)];
    await expectCode(run("c", true), "busy");
    await expectCode(run("3", false), "busy");
    await Promise.all([running, ...accepted]);
    expect(order).toEqual(["1", "2", "a", "b"]);
  });

  test("that a dying child never noticed are given to another, once", async () => {
    const started: { ipc: (answer: object) => void; onExit: () => void; sent: object[] }[] = [];
    const spawn = spyOn(Bun, "spawn").mockImplementation(((
      _command: unknown,
      options: { ipc: never; onExit: never },
    ) => {
      const sent: object[] = [];
      started.push({ ...options, sent });
      return { pid: 0, send: (job: object) => sent.push(job), kill: () => {}, exited: Promise.resolve() };
    }) as never);
    try {
      const pool = newPool<string>();
      const first = pool.run({ path: "first" });
      started[0]?.ipc({ ready: true });
      started[0]?.ipc({ begun: true });
      started[0]?.ipc({ result: "done" });
      expect(await first).toBe("done");
      const second = pool.run({ path: "second" });
      started[0]?.onExit();
      await Bun.sleep(1);
      started[1]?.ipc({ ready: true });
      started[1]?.ipc({ begun: true });
      started[1]?.ipc({ result: "done again" });
      expect(await second).toBe("done again");
      const third = membersOf(pool.run({ path: "third" }));
      started[1]?.onExit();
      await Bun.sleep(1);
      started[2]?.ipc({ ready: true });
      started[2]?.onExit();
      expect(await third).toEqual({ code: "invalid_image", reason: "crash" });
      expect(started.map(({ sent }) => sent.length)).toEqual([2, 2, 1]);
    } finally {
      spawn.mockRestore();
    }
  });
});

describe("a renderer", () => {
  test.skipIf(process.platform !== "linux")("loses one picture of a hundred with a killed child", async () => {
    const folder = await mkdtemp(join(tmpdir(), "image-store-killed-"));
    try {
      const renderer = createRenderer({ maxPixels: 50_000_000, exposeLocation: false, children: 1 });
      stack.push(renderer);
      const bytes = await quarters(600, 400).jpeg().toBuffer();
      const never = new AbortController().signal;
      const target = (index: number) => join(folder, String(index));
      const before = new Set(await childrenOfThis());
      let finished = 0;
      let killed = false;
      const render = async (index: number) => {
        const rendered = await renderer.render({ bytes }, PICTURE, target(index), never);
        // While the next one is being worked on: it was handed over before this one was told.
        if (++finished >= 40 && !killed) {
          killed = true;
          for (const pid of await childrenOfThis()) if (!before.has(pid)) process.kill(pid, "SIGKILL");
        }
        return rendered;
      };
      const outcomes = await Promise.allSettled(Array.from({ length: 100 }, (_, index) => render(index)));
      const digests = new Set<string>();
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome.status === "rejected") {
          expect(await membersOf(Promise.reject(outcome.reason))).toEqual({ code: "invalid_image", reason: "crash" });
          expect(existsSync(target(index))).toBe(false);
        } else {
          expect(sha256(await readFile(target(index)))).toBe(outcome.value.sha256);
          digests.add(outcome.value.sha256);
        }
      }
      expect(outcomes.filter(({ status }) => status === "rejected").length).toBeLessThanOrEqual(1);
      expect({ killed, digests: digests.size }).toEqual({ killed: true, digests: 1 });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test("says which pictures are its own", () => {
    const renderer = createRenderer({ maxPixels: 1, exposeLocation: false, children: 1 });
    stack.push(renderer);
    expect(renderer.version).toMatch(/^\d+-\d+\.\d+\.\d+$/);
  });
});

async function childrenOfThis(): Promise<number[]> {
  const text = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, "utf8");
  return text.trim().split(" ").map(Number);
}
