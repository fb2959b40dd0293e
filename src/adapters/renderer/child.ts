import { readFileSync } from "node:fs";
import { deserializeError, type SerializedError } from "../../domain/errors.ts";

export interface ChildOptions {
  /** The module that it runs: one that calls `serveJobs`. */
  readonly entry: string;
  /** Of one job, in milliseconds; a child gets as long to start. */
  readonly timeLimit: number;
  /** Resident bytes. Watched on Linux only. */
  readonly memoryLimit: number;
}

/** What a child says: once that it is ready, then of each job that it has it, and how it ended. */
export type Answer<Result> = { ready: true } | { begun: true } | { result: Result } | { error: SerializedError };

/** `unheard`: before it took notice of its job. `killed`: by whoever has it. The others: by its own or its job's doing. */
export type EndOfChild = "not_started" | "unheard" | "killed" | "crash" | "time" | "memory";

export class ChildEnded extends Error {
  readonly how: EndOfChild;

  constructor(how: EndOfChild) {
    super(`The child process ended: ${how}`);
    this.how = how;
  }
}

/** A process that may crash, hang or grow on what it is given. */
export interface Child<Job, Result> {
  /**
   * One at a time; the first may be given before it is ready.
   * @throws StoreError what the child answers; ChildEnded once the process is gone
   */
  run(job: Job): Promise<Result>;
  /** What it still says counts no more. Resolves when it is gone. */
  kill(): Promise<void>;
}

interface Current<Job, Result> extends PromiseWithResolvers<Result> {
  readonly job: Job;
  begun: boolean;
}

const WATCH_EVERY_MS = 100;
/** The children get none of the server's environment, in which there are keys. */
const ENVIRONMENT = { VIPS_BLOCK_UNTRUSTED: "1", MALLOC_ARENA_MAX: "2" };

/** @throws when no process can be started; `onEnd` is called when it is gone, before its job is rejected */
export function startChild<Job, Result>(options: ChildOptions, onEnd: () => void): Child<Job, Result> {
  let ready = false;
  let killedFor: EndOfChild | undefined;
  let current: Current<Job, Result> | undefined;
  let watch: Timer | undefined;

  const child = Bun.spawn([process.execPath, options.entry], {
    env: ENVIRONMENT,
    stdio: ["ignore", "ignore", "ignore"],
    ipc: (answer: Answer<Result>) => receive(answer),
    onExit: () => end(),
  });
  watchOver();

  function watchOver(): void {
    clearInterval(watch);
    const deadline = performance.now() + options.timeLimit;
    watch = setInterval(() => {
      if (performance.now() > deadline) kill("time");
      else if (residentBytes(child.pid) > options.memoryLimit) kill("memory");
    }, WATCH_EVERY_MS);
  }

  function kill(how: EndOfChild): void {
    killedFor ??= how;
    child.kill("SIGKILL");
  }

  function send(job: Job): void {
    watchOver();
    try {
      child.send(job);
    } catch {
      // It has ended, which nobody was told yet.
      kill("unheard");
    }
  }

  function receive(answer: Answer<Result>): void {
    if (killedFor !== undefined) return;
    if ("ready" in answer) {
      ready = true;
      clearInterval(watch);
      if (current !== undefined) send(current.job);
    } else if (current !== undefined) settle(current, answer);
  }

  function settle(working: Current<Job, Result>, answer: Exclude<Answer<Result>, { ready: true }>): void {
    if ("begun" in answer) {
      working.begun = true;
      return;
    }
    clearInterval(watch);
    current = undefined;
    if ("error" in answer) working.reject(deserializeError(answer.error));
    else working.resolve(answer.result);
  }

  function end(): void {
    clearInterval(watch);
    onEnd();
    if (!ready) current?.reject(new ChildEnded("not_started"));
    else current?.reject(new ChildEnded(killedFor ?? (current.begun ? "crash" : "unheard")));
  }

  return {
    run(job) {
      current = { job, begun: false, ...Promise.withResolvers<Result>() };
      if (ready) send(job);
      return current.promise;
    },
    async kill() {
      kill("killed");
      await child.exited;
    },
  };
}

/** 0 where the system does not tell, and for a process that just ended. */
function residentBytes(pid: number): number {
  if (process.platform !== "linux") return 0;
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
