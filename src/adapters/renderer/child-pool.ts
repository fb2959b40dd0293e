import { readFileSync } from "node:fs";
import { deserializeError, type SerializedError, StoreError } from "../../domain/errors.ts";

export interface ChildPoolOptions {
  /** The module that a child runs: says `{ ready: true }`, then answers each message with `{ result }` or `{ error }`. */
  readonly entry: string;
  readonly children: number;
  /** How many jobs may wait for a child. */
  readonly queue: number;
  /** Of one job, in milliseconds; a child gets as long to start. */
  readonly timeLimit: number;
  /** Resident bytes of one child. Watched on Linux only. */
  readonly memoryLimit: number;
}

/** Processes that may crash, hang or grow on what they are given, at the cost of that one job. */
export interface ChildPool<Job, Result> extends AsyncDisposable {
  /**
   * @throws StoreError what the child answers; `invalid_image` when the child came to harm on this job; `busy` when too
   * many wait; `unavailable` when no child can be started
   */
  run(job: Job): Promise<Result>;
}

type Answer<Result> = { ready: true } | { result: Result } | { error: SerializedError };

interface Waiting<Job, Result> extends PromiseWithResolvers<Result> {
  readonly job: Job;
}

interface Child<Job, Result> {
  readonly process: Bun.Subprocess;
  ready: boolean;
  /** Told to end. What it still says counts no more, and it gets no other job. */
  killed: boolean;
  /** What it works on, or was started for. */
  current: Waiting<Job, Result> | undefined;
  watch: Timer | undefined;
}

const WATCH_EVERY_MS = 100;
/** The children get none of the server's environment, in which there are keys. */
const ENVIRONMENT = { VIPS_BLOCK_UNTRUSTED: "1", MALLOC_ARENA_MAX: "2" };

/** Children are started when they are first needed, and again after they ended. */
export function createChildPool<Job, Result>(options: ChildPoolOptions): ChildPool<Job, Result> {
  const children = new Set<Child<Job, Result>>();
  const idle: Child<Job, Result>[] = [];
  const waiting: Waiting<Job, Result>[] = [];
  let closed = false;

  function dispatch(): void {
    while (waiting.length > 0) {
      const child = idle.pop();
      if (child === undefined && children.size >= options.children) return;
      const next = waiting.shift();
      if (next === undefined) return;
      if (child === undefined) start(next);
      else give(child, next);
    }
  }

  function start(first: Waiting<Job, Result>): void {
    try {
      const child: Child<Job, Result> = {
        process: Bun.spawn([process.execPath, options.entry], {
          env: ENVIRONMENT,
          stdio: ["ignore", "ignore", "ignore"],
          ipc: (answer: Answer<Result>) => receive(child, answer),
          onExit: () => bury(child),
        }),
        ready: false,
        killed: false,
        current: first,
        watch: undefined,
      };
      children.add(child);
      watch(child);
    } catch (cause) {
      first.reject(unavailable(cause));
    }
  }

  function give(child: Child<Job, Result>, work: Waiting<Job, Result>): void {
    child.current = work;
    watch(child);
    child.process.send(work.job);
  }

  function watch(child: Child<Job, Result>): void {
    clearInterval(child.watch);
    const deadline = performance.now() + options.timeLimit;
    child.watch = setInterval(() => {
      const isOver = performance.now() > deadline || residentBytes(child.process.pid) > options.memoryLimit;
      if (!isOver) return;
      child.killed = true;
      child.process.kill("SIGKILL");
    }, WATCH_EVERY_MS);
  }

  function receive(child: Child<Job, Result>, answer: Answer<Result>): void {
    const { current } = child;
    if (current === undefined || child.killed) return;
    if ("ready" in answer) {
      child.ready = true;
      give(child, current);
      return;
    }
    clearInterval(child.watch);
    child.current = undefined;
    idle.push(child);
    if ("error" in answer) current.reject(deserializeError(answer.error));
    else current.resolve(answer.result);
    dispatch();
  }

  function bury(child: Child<Job, Result>): void {
    clearInterval(child.watch);
    children.delete(child);
    const index = idle.indexOf(child);
    if (index >= 0) idle.splice(index, 1);
    child.current?.reject(
      child.ready && !closed
        ? new StoreError(
            "invalid_image",
            "The image could not be read: it takes too much time or memory, or is broken.",
          )
        : unavailable(),
    );
    dispatch();
  }

  return {
    run(job) {
      if (closed) return Promise.reject(unavailable());
      if (waiting.length >= options.queue) {
        return Promise.reject(new StoreError("busy", "Too many images wait to be examined. Try again later."));
      }
      const entry = { job, ...Promise.withResolvers<Result>() };
      waiting.push(entry);
      dispatch();
      return entry.promise;
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      for (const { reject } of waiting.splice(0)) reject(unavailable());
      const exits = Array.from(children, (child) => {
        child.process.kill("SIGKILL");
        return child.process.exited;
      });
      await Promise.all(exits);
    },
  };
}

const unavailable = (cause?: unknown) =>
  new StoreError("unavailable", "Images cannot be examined at the moment. Try again later.", { cause });

/** 0 where the system does not tell, and for a process that just ended. */
function residentBytes(pid: number): number {
  if (process.platform !== "linux") return 0;
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
