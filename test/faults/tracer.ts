import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PATIENCE_MS } from "../waiting.ts";
import { makeTemporaryFolder, removeTemporaryFolder } from "./temporary-folder.ts";

/** How the store makes things durable, and how SQLite writes. */
export type CallName = "fsync" | "fdatasync" | "pwrite64" | "pwritev" | "fallocate" | "unlink";
export type Fault = "EIO" | "SIGKILL";

/** What a sync makes durable: the catalog's own files, a blob's bytes, or the folder that a blob was linked into. */
export type Place = "catalog" | "bytes" | "folder";

/** Where a fault is to strike: the nth such call of a thread. */
export interface FaultPoint {
  readonly place: Place;
  readonly call: TracedCall["call"];
  /** Any of these, or whatever the call is made on. */
  readonly paths: readonly string[];
  readonly nth: number;
}

/** A system call that the program made. */
export interface TracedCall {
  readonly call: CallName;
  readonly path: string;
  readonly injected: boolean;
}

/** strace at a running process. */
export interface Tracer {
  /** Resolves once the fault has struck. */
  injected(): Promise<void>;
  /**
   * Lets go of the process, and answers what it saw, in order. Wait for the end of a process that is being killed first:
   * strace can hang when it is to let go of threads that die.
   */
  detach(): Promise<TracedCall[]>;
}

const EVERY_SYNC = ["-e", "trace=fsync,fdatasync"];

/** Resolves once the tracer sits on every thread. Its counts begin then. */
export async function attachTracer(pid: number, options: readonly string[] = EVERY_SYNC): Promise<Tracer> {
  const home = makeTemporaryFolder();
  const log = join(home, "trace");
  const child = Bun.spawn(["strace", "-f", "-y", "-o", log, ...options, "-p", String(pid)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const messages = child.stderr.getReader();
  let said = "";
  while (!said.includes(" attached")) {
    const { done, value } = await messages.read();
    if (done) throw new Error(`strace did not attach: ${said}`);
    said += new TextDecoder().decode(value);
  }
  const seen = () => parseTrace(readFileSync(log, "utf8"));
  return {
    async injected() {
      const deadline = Date.now() + PATIENCE_MS;
      while (!seen().some((call) => call.injected)) {
        if (Date.now() > deadline) throw new Error("The fault did not strike.");
        await sleep(20);
      }
    },
    async detach() {
      child.kill("SIGINT");
      await child.exited;
      const calls = seen();
      removeTemporaryFolder(home);
      return calls;
    },
  };
}

/** Makes the call at that point fail, or kills the process as it enters it. */
export function injectFault(fault: Fault, { call, nth, paths }: FaultPoint): readonly string[] {
  const effect = fault === "EIO" ? "error=EIO" : "signal=SIGKILL";
  return ["-e", `trace=${call}`, "-e", `inject=${call}:${effect}:when=${nth}`, ...onPaths(paths)];
}

/** For `ServerOptions.wrapper`: from the start on, these calls report success and do nothing; on these paths, or on all. */
export function withoutSyncs(log: string, calls: string, paths: readonly string[]): readonly string[] {
  const options = ["-D", "-f", "--seccomp-bpf", "-o", log, "-e", `trace=${calls}`, "-e", `inject=${calls}:retval=0`];
  return ["strace", ...options, ...onPaths(paths)];
}

const onPaths = (paths: readonly string[]) => paths.flatMap((path) => ["-P", path]);

/**
 * Lines such as `4711 fsync(6</data/catalog.sqlite-wal>) = -1 EIO (Input/output error) (INJECTED)`. A call that another
 * thread's line interrupts is continued on a later one. One in which the process is killed ends with `= ?`, or not at all.
 */
export function parseTrace(log: string): TracedCall[] {
  const calls: TracedCall[] = [];
  const unfinished = new Map<string, number>();
  for (const line of log.split("\n")) {
    const [thread = ""] = line.split(" ", 1);
    const injected = /\(INJECTED\)$|\) += \?$|\+\+\+ killed by SIGKILL \+\+\+$/.test(line);
    const begun =
      /^\d+ +(unlink)\("([^"]*)"/.exec(line) ??
      /^\d+ +(fsync|fdatasync|pwrite64|pwritev|fallocate)\(\d+<([^>]*)>/.exec(line);
    if (begun !== null) {
      const at = calls.push({ call: begun[1] as CallName, path: begun[2] as string, injected }) - 1;
      if (line.endsWith("<unfinished ...>")) unfinished.set(thread, at);
      continue;
    }
    const at = unfinished.get(thread);
    if (at === undefined) continue;
    if (injected) calls[at] = { ...(calls[at] as TracedCall), injected };
    unfinished.delete(thread);
  }
  return calls;
}
