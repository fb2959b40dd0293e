import { StoreError } from "../../domain/errors.ts";
import { type Child, ChildEnded, type ChildOptions, type EndOfChild, startChild } from "./child.ts";

export interface ChildPoolOptions extends ChildOptions {
  readonly children: number;
  /** How many jobs may wait for a child; as many again in the background. */
  readonly queue: number;
  /** After so many a child is replaced: what fragments or leaks in native code goes with it. Default: never. */
  readonly jobsPerChild?: number;
}

export interface RunOptions {
  /** Removes the job while it waits and kills the child that works on it; the rejection is the signal's reason. */
  readonly signal?: AbortSignal;
  /** Waits behind every job that is not. */
  readonly background?: boolean;
}

/** Processes that may crash, hang or grow on what they are given, at the cost of that one job. */
export interface ChildPool<Job, Result> extends AsyncDisposable {
  /**
   * A child that works on it is gone when this rejects.
   * @throws StoreError what the child answers; `invalid_image` when the child came to harm on this job, with the member
   * `reason`: `crash`, `time` or `memory`; `busy` when too many wait; `unavailable` when no child can be started
   */
  run(job: Job, options?: RunOptions): Promise<Result>;
}

interface Waiting<Job, Result> extends PromiseWithResolvers<Result> {
  readonly job: Job;
  readonly signal: AbortSignal | undefined;
  readonly queue: Waiting<Job, Result>[];
  /** A child ended before it took notice of it. */
  wasUnheard: boolean;
}

/** Children are started when they are first needed, and again after they ended. */
export function createChildPool<Job, Result>(options: ChildPoolOptions): ChildPool<Job, Result> {
  const { jobsPerChild = Number.POSITIVE_INFINITY } = options;
  /** Each with the number of jobs that it had. */
  const children = new Map<Child<Job, Result>, number>();
  const idle: Child<Job, Result>[] = [];
  const urgent: Waiting<Job, Result>[] = [];
  const background: Waiting<Job, Result>[] = [];
  let closed = false;

  function dispatch(): void {
    while (idle.length > 0 || children.size < options.children) {
      const next = urgent.shift() ?? background.shift();
      if (next === undefined) return;
      try {
        void give(idle.pop() ?? start(), next);
      } catch (cause) {
        next.reject(unavailable(cause));
      }
    }
  }

  function start(): Child<Job, Result> {
    const child = startChild<Job, Result>(options, () => {
      children.delete(child);
      const index = idle.indexOf(child);
      if (index >= 0) idle.splice(index, 1);
      dispatch();
    });
    children.set(child, 0);
    return child;
  }

  async function give(child: Child<Job, Result>, next: Waiting<Job, Result>): Promise<void> {
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
    if (jobs !== undefined && jobs < jobsPerChild) idle.push(child);
    else void child.kill();
    dispatch();
  }

  /** A child may end while it has nothing to do: the job that it is given in that moment is not what ended it. */
  function recover(next: Waiting<Job, Result>, how: EndOfChild): void {
    if (next.signal?.aborted) next.reject(next.signal.reason);
    else if (closed || how === "not_started") next.reject(unavailable());
    else if (how === "unheard" && !next.wasUnheard) {
      next.wasUnheard = true;
      next.queue.unshift(next);
    } else next.reject(cameToHarm(how));
  }

  function enqueue(job: Job, { signal, background: isBackground = false }: RunOptions): Promise<Result> {
    signal?.throwIfAborted();
    if (closed) throw unavailable();
    const queue = isBackground ? background : urgent;
    if (queue.length >= options.queue)
      throw new StoreError("busy", "Too many images wait to be read. Try again later.");
    const entry = { job, signal, queue, wasUnheard: false, ...Promise.withResolvers<Result>() };
    const leave = () => {
      const index = queue.indexOf(entry);
      if (index < 0) return;
      queue.splice(index, 1);
      entry.reject(signal?.reason);
    };
    signal?.addEventListener("abort", leave, { once: true });
    queue.push(entry);
    dispatch();
    return entry.promise.finally(() => signal?.removeEventListener("abort", leave));
  }

  return {
    run: async (job, runOptions = {}) => enqueue(job, runOptions),
    async [Symbol.asyncDispose]() {
      closed = true;
      for (const { reject } of [...urgent.splice(0), ...background.splice(0)]) reject(unavailable());
      await Promise.all(Array.from(children.keys(), (child) => child.kill()));
    },
  };
}

const unavailable = (cause?: unknown) =>
  new StoreError("unavailable", "Images cannot be read at the moment. Try again later.", { cause });

function cameToHarm(how: EndOfChild): StoreError {
  const reason = how === "time" || how === "memory" ? how : "crash";
  const message = {
    time: "The image takes too long to decode.",
    memory: "The image takes too much memory to decode.",
    crash: "The image could not be decoded: the decoder broke down over it.",
  }[reason];
  return new StoreError("invalid_image", message, { members: { reason } });
}
