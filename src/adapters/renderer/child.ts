import { constants } from "node:os";
import { deserializeError, type SerializedError } from "../../domain/errors.ts";
import { type ExceededLimit, type ProcessLimits, watchProcess } from "./process-watch.ts";

/** The limits are of one job. A child may take as much memory, and as long in all, to start. */
export interface ChildOptions extends ProcessLimits {
  /** The module that it runs, which speaks the protocol of child-main.ts. */
  readonly entry: string;
  readonly arguments?: readonly string[];
}

/** What a child says: once that it is ready, then of each job that it has it, and how it ended. */
export type ChildMessage<Result> = { ready: true } | { begun: true } | { result: Result } | { error: SerializedError };

/**
 * How a child ended. `time`, `memory` and `crash` are what its job did to it. `stalled` says nothing about the job: the
 * machine may have had other work. `unheard`: before it took notice of its job; `killed`: by its owner; `ended`: by another
 * process or the system, such as one that is out of memory.
 */
export type EndOfChild = "not_started" | "unheard" | "killed" | "ended" | "crash" | ExceededLimit;

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
   * @throws StoreError what the child reports; ChildEnded once the process is gone
   */
  run(job: Job): Promise<Result>;
  /** What it still says counts no more. Resolves when it is gone. */
  kill(): Promise<void>;
}

interface Current<Job, Result> extends PromiseWithResolvers<Result> {
  readonly job: Job;
  begun: boolean;
}

/** The children get none of the server's environment, in which there are keys. */
const ENVIRONMENT = { VIPS_BLOCK_UNTRUSTED: "1", MALLOC_ARENA_MAX: "2" };

/** @throws when no process can be started; `onEnd` is called when it is gone, before its job is rejected */
export function startChild<Job, Result>(options: ChildOptions, onEnd: () => void): Child<Job, Result> {
  let ready = false;
  let killedFor: EndOfChild | undefined;
  let current: Current<Job, Result> | undefined;

  const child = Bun.spawn([process.execPath, options.entry, ...(options.arguments ?? [])], {
    env: ENVIRONMENT,
    stdio: ["ignore", "ignore", "ignore"],
    ipc: (message: ChildMessage<Result>) => receive(message),
    onExit: (_child, _exitCode, signal) => end(OUTSIDE.some((one) => one === signal) ? "ended" : "crash"),
  });
  let watch = watchProcess(child.pid, { ...options, timeLimit: Number.POSITIVE_INFINITY }, kill);

  function kill(how: EndOfChild): void {
    killedFor ??= how;
    child.kill("SIGKILL");
  }

  function send(job: Job): void {
    watch[Symbol.dispose]();
    watch = watchProcess(child.pid, options, kill);
    try {
      child.send(job);
    } catch {
      // It has ended, and the exit was not reported yet.
      kill("unheard");
    }
  }

  function receive(message: ChildMessage<Result>): void {
    if (killedFor !== undefined) return;
    if ("ready" in message) {
      ready = true;
      watch[Symbol.dispose]();
      if (current !== undefined) send(current.job);
    } else if (current !== undefined) settle(current, message);
  }

  function settle(working: Current<Job, Result>, message: Exclude<ChildMessage<Result>, { ready: true }>): void {
    if ("begun" in message) {
      working.begun = true;
      return;
    }
    watch[Symbol.dispose]();
    current = undefined;
    if ("error" in message) working.reject(deserializeError(message.error));
    else working.resolve(message.result);
  }

  function end(how: EndOfChild): void {
    watch[Symbol.dispose]();
    onEnd();
    if (!ready) current?.reject(new ChildEnded("not_started"));
    else current?.reject(new ChildEnded(killedFor ?? (current.begun ? how : "unheard")));
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

/** No decoder sends these to itself; what it does wrong ends it by another signal. */
const OUTSIDE = (["SIGKILL", "SIGTERM", "SIGINT"] as const).flatMap((name) => [name, constants.signals[name]]);
