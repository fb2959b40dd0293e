import { afterEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ChildPool, type ChildPoolOptions, createChildPool } from "../../../src/adapters/renderer/child-pool.ts";
import { createRenderer } from "../../../src/adapters/renderer/renderer.ts";
import { StoreError } from "../../../src/domain/errors.ts";
import { sha256 } from "../../blobs.ts";
import { PICTURE, quarters } from "../../pictures.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { fakeChildren } from "./fake-children.ts";

interface Job {
  readonly path: string;
}

const entry = join(import.meta.dir, "decoder-child.ts");
const stack: AsyncDisposable[] = [];
afterEach(async () => {
  for (const made of stack.splice(0)) await made[Symbol.asyncDispose]();
});

function newPool<Result = unknown>(options: Partial<ChildPoolOptions> = {}): ChildPool<Job, Result> {
  const limits = { timeLimit: 120_000, wallLimit: 120_000, memoryLimit: Number.POSITIVE_INFINITY };
  const pool = createChildPool<Job, Result>({ entry, children: 1, queue: 10, ...limits, ...options });
  stack.push(pool);
  return pool;
}

const reasonOf = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);
const membersOf = (work: Promise<unknown>): Promise<unknown> =>
  work.catch((error: unknown) => (error instanceof StoreError ? { code: error.code, ...error.members } : error));

describe("renderer child processes", () => {
  test("a child is replaced after a number of jobs", async () => {
    const pool = newPool<number>({ jobsPerChild: 3 });
    const pids: number[] = [];
    for (let job = 0; job < 7; job++) pids.push(await pool.run({ path: "pid" }));
    expect(pids).toEqual([0, 0, 0, 3, 3, 3, 6].map((index) => pids[index] ?? 0));
    expect(new Set(pids).size).toBe(3);
  });

  test("the exit of a child is explained by what the decoder wrote", async () => {
    const pool = newPool({ timeLimit: 120_000, memoryLimit: 400 * 1024 * 1024 });
    expect(await membersOf(pool.run({ path: "crash" }))).toEqual({ code: "invalid_image", reason: "crash" });
    if (process.platform !== "linux") return;
    const hurried = newPool({ timeLimit: 1000 });
    expect(await membersOf(hurried.run({ path: "spin" }))).toEqual({ code: "invalid_image", reason: "time" });
    expect(await membersOf(pool.run({ path: "grow" }))).toEqual({ code: "invalid_image", reason: "memory" });
  });

  test("a child killed from outside says nothing about its image", async () => {
    // A start must take less, on a busy machine too.
    const limits = { timeLimit: 100, wallLimit: 8000 };
    const pool = newPool<number>(limits);
    const stalled = { code: "unavailable", reason: "stalled" };
    const outcomes = ["hang", "stop"].map((path) => membersOf(newPool(limits).run({ path })));
    expect(await Promise.all(outcomes)).toEqual([stalled, stalled]);
    expect(await membersOf(pool.run({ path: "killed" }))).toEqual(stalled);
    expect(await pool.run({ path: "pid" })).toBeGreaterThan(0);
  });

  test("idle children end, and new ones start on demand", async () => {
    const pool = newPool<number>({ idleLimit: 50 });
    const before = await pool.run({ path: "pid" });
    while (existsSync(`/proc/${before}`)) await Bun.sleep(20);
    expect(await pool.run({ path: "pid" })).not.toBe(before);
  });

  test("a child is killed when all callers of its job have left, and the next job gets another", async () => {
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

describe("renderer jobs", () => {
  test("a queued job is dropped when its callers have left", async () => {
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

  test("a late signal does not affect a finished job", async () => {
    const pool = newPool<number>();
    const leaving = new AbortController();
    const first = await pool.run({ path: "pid" }, { signal: leaving.signal });
    leaving.abort();
    expect(await pool.run({ path: "pid" })).toBe(first);
  });

  test("a job that a dying child did not start is given to another child once", async () => {
    using children = fakeChildren();
    const { started } = children;
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
  });
});

describe("renderer", () => {
  test.skipIf(process.platform !== "linux")("a killed child costs at most one of a hundred renders", async () => {
    const folder = await newFolder("killed");
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
          expect(await membersOf(Promise.reject(outcome.reason))).toEqual({ code: "unavailable", reason: "stalled" });
          expect(existsSync(target(index))).toBe(false);
        } else {
          expect(sha256(await readFile(target(index)))).toBe(outcome.value.sha256);
          digests.add(outcome.value.sha256);
        }
      }
      expect(outcomes.filter(({ status }) => status === "rejected").length).toBeLessThanOrEqual(1);
      expect({ killed, digests: digests.size }).toEqual({ killed: true, digests: 1 });
    } finally {
      await removeFolder(folder);
    }
  });

  test.skipIf(process.platform !== "linux")("descriptions run in threads with idle priority", async () => {
    const renderer = createRenderer({ maxPixels: 50_000_000, exposeLocation: false, children: 1 });
    stack.push(renderer);
    const before = new Set(await childrenOfThis());
    const bytes = await quarters(600, 400).jpeg().toBuffer();
    const info = {
      contentType: "image/jpeg",
      width: 600,
      height: 400,
      frames: 1,
      hasAlpha: false,
      orientation: 1,
    } as const;
    await renderer.describe({ bytes }, info, new AbortController().signal);
    const [child] = (await childrenOfThis()).filter((pid) => !before.has(pid));
    const threads = await readdir(`/proc/${child}/task`);
    const policies = threads.map(async (thread) => {
      const stat = await readFile(`/proc/${child}/task/${thread}/stat`, "utf8");
      // proc(5): the field 41, counted from behind the name, which may hold spaces.
      return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[38];
    });
    const SCHED_IDLE = "5";
    expect(new Set(await Promise.all(policies))).toEqual(new Set([SCHED_IDLE]));
  });

  test("the version of the renderer is part of a variant's key", () => {
    const renderer = createRenderer({ maxPixels: 1, exposeLocation: false, children: 1 });
    stack.push(renderer);
    expect(renderer.version).toMatch(/^\d+-\d+\.\d+\.\d+$/);
  });
});

async function childrenOfThis(): Promise<number[]> {
  const text = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, "utf8");
  return text.trim().split(" ").map(Number);
}
