import { StoreError } from "../../domain/errors.ts";
import { type Child, ChildEnded, type ChildOptions, type EndOfChild, startChild } from "./child.ts";
import { createJobQueue, type QueuedJob } from "./job-queue.ts";

export interface ChildPoolOptions extends ChildOptions {
  readonly children: number;
  /** How many jobs may wait for a child. */
  readonly queue: number;
  /** After so many a child is replaced: what fragments or leaks in native code goes with it. Default: never. */
  readonly jobsPerChild?: number;
  /** How long a child that has nothing to do is kept, in milliseconds. Default: for ever. */
  readonly idleLimit?: number;
}

export interface RunOptions {
  /** Removes the job while it waits and kills the child that works on it; the rejection is the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Processes that may crash, hang or grow on what they are given, at the cost of that one job. */
export interface ChildPool<Job, Result> extends AsyncDisposable {
  /**
   * A child that works on it is gone when this rejects.
   * @throws StoreError what the child reports; `invalid_image` when the child came to harm on this job, with the member
   * `reason`: `crash`, `time` (of the processor) or `memory`; `busy` when too many wait; `unavailable` when no child can be
   * started, and with `reason: "stalled"` when the job was ended for what the machine did
   */
  run(job: Job, options?: RunOptions): Promise<Result>;
}

/** Children are started when they are first needed, and again after they ended. */
export function createChildPool<Job, Result>(options: ChildPoolOptions): ChildPool<Job, Result> {
  const { jobsPerChild = Number.POSITIVE_INFINITY } = options;
  /** Each with the number of jobs that it had. */
  const children = new Map<Child<Job, Result>, number>();
  const idle = createIdleChildren<Child<Job, Result>>(options.idleLimit);
  const queue = createJobQueue<Job, Result>(options.queue);
  let closed = false;

  function dispatch(): void {
    while (idle.size > 0 || children.size < options.children) {
      const next = queue.take();
      if (next === undefined) return;
      try {
        void give(idle.take() ?? start(), next);
      } catch (cause) {
        next.reject(unavailable(cause));
      }
    }
  }

  function start(): Child<Job, Result> {
    const child = startChild<Job, Result>(options, () => {
      children.delete(child);
      idle.delete(child);
      dispatch();
    });
    children.set(child, 0);
    return child;
  }

  async function give(child: Child<Job, Result>, next: QueuedJob<Job, Result>): Promise<void> {
    const cancel = () => void child.kill();
    next.signal?.addEventListener("abort", cancel, { once: true });
    children.set(child, (children.get(child) ?? 0) + 1);
    try {
      next.resolve(await child.run(next.job));
    } catch (error) {
      if (error instanceof ChildEnded) recover(next, error.how);
      else next.reject(error);
    } finally {
      next.signal?.removeEventListener("abort", cancel);
    }
    release(child);
  }

  function release(child: Child<Job, Result>): void {
    const jobs = children.get(child);
    if (jobs !== undefined && jobs < jobsPerChild) idle.add(child);
    else void child.kill();
    dispatch();
  }

  /** A child may end while it has nothing to do: the job that it is given in that moment is not what ended it. */
  function recover(next: QueuedJob<Job, Result>, how: EndOfChild): void {
    if (next.signal?.aborted) next.reject(next.signal.reason);
    else if (closed || how === "not_started") next.reject(unavailable());
    else if (how === "unheard" && !next.wasUnheard) {
      next.wasUnheard = true;
      queue.putBack(next);
    } else next.reject(how === "stalled" || how === "ended" ? stalled() : cameToHarm(how));
  }

  return {
    async run(job, { signal } = {}) {
      signal?.throwIfAborted();
      if (closed) throw unavailable();
      const { promise } = queue.add(job, signal);
      dispatch();
      return promise;
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      idle[Symbol.dispose]();
      for (let next = queue.take(); next !== undefined; next = queue.take()) next.reject(unavailable());
      await Promise.all(Array.from(children.keys(), (child) => child.kill()));
    },
  };
}

/** Children that have nothing to do. All are killed when none of them was given a job for `limit` milliseconds. */
function createIdleChildren<Idle extends Pick<Child<unknown, unknown>, "kill">>(limit: number | undefined) {
  const children: Idle[] = [];
  let retiring: Timer | undefined;
  let closed = false;

  return {
    get size() {
      return children.length;
    },
    add(child: Idle): void {
      children.push(child);
      if (limit === undefined || closed) return;
      clearTimeout(retiring);
      retiring = setTimeout(() => {
        for (const unused of children.splice(0)) void unused.kill();
      }, limit).unref();
    },
    take(): Idle | undefined {
      if (children.length > 0) clearTimeout(retiring);
      return children.pop();
    },
    delete(child: Idle): void {
      const index = children.indexOf(child);
      if (index >= 0) children.splice(index, 1);
    },
    [Symbol.dispose]() {
      closed = true;
      clearTimeout(retiring);
    },
  };
}

const unavailable = (cause?: unknown) =>
  new StoreError("unavailable", "Images cannot be read at the moment. Try again later.", { cause });

const stalled = () =>
  new StoreError("unavailable", "The machine was too busy to decode the image. Try again later.", {
    members: { reason: "stalled" },
  });

function cameToHarm(how: EndOfChild): StoreError {
  const reason = how === "time" || how === "memory" ? how : "crash";
  const message = {
    time: "The image takes too long to decode.",
    memory: "The image takes too much memory to decode.",
    crash: "The image could not be decoded: the decoder broke down over it.",
  }[reason];
  return new StoreError("invalid_image", message, { members: { reason } });
}
