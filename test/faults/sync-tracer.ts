import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FaultPoint } from "./fault-points.ts";
import { makeTemporaryFolder, removeTemporaryFolder } from "./temporary-folder.ts";

export type SyncCall = "fsync" | "fdatasync";
export type Fault = "EIO" | "SIGKILL";

/** A sync that the program made, in order. */
export interface TracedSync {
  readonly call: SyncCall;
  readonly path: string;
  readonly injected: boolean;
}

/** strace at a running process. */
export interface SyncTracer {
  /** What it saw so far. */
  seen(): TracedSync[];
  /** Lets go of the process, and answers what it saw. */
  detach(): Promise<TracedSync[]>;
}

/** Resolves once the tracer sits on every thread. Its counts begin then. */
export async function traceSyncs(pid: number, injection: readonly string[] = []): Promise<SyncTracer> {
  const home = makeTemporaryFolder();
  const log = join(home, "trace");
  const trace = ["strace", "-f", "-y", "-o", log, "-e", "trace=fsync,fdatasync", ...injection, "-p", String(pid)];
  const child = Bun.spawn(trace, { stdio: ["ignore", "ignore", "pipe"] });
  const messages = child.stderr.getReader();
  let said = "";
  while (!said.includes(" attached")) {
    const { done, value } = await messages.read();
    if (done) throw new Error(`strace did not attach: ${said}`);
    said += new TextDecoder().decode(value);
  }
  const seen = () => parseTrace(readFileSync(log, "utf8"));
  return {
    seen,
    async detach() {
      child.kill("SIGINT");
      await child.exited;
      const syncs = seen();
      removeTemporaryFolder(home);
      return syncs;
    },
  };
}

/** Makes the syncs at that point fail, or kills the process as it enters them. */
export const injectFault = (fault: Fault, point: FaultPoint): readonly string[] => [
  "-e",
  `inject=${point.call}:${fault === "EIO" ? "error=EIO" : "signal=SIGKILL"}:when=${point.nth}`,
  ...onPaths(point.paths),
];

/** For `ServerOptions.wrapper`: from the start on, these calls report success and do nothing; on these paths, or on all. */
export function withoutSyncs(log: string, calls: string, paths: readonly string[]): readonly string[] {
  const options = ["-D", "-f", "--seccomp-bpf", "-o", log, "-e", `trace=${calls}`, "-e", `inject=${calls}:retval=0`];
  return ["strace", ...options, ...onPaths(paths)];
}

const onPaths = (paths: readonly string[]) => paths.flatMap((path) => ["-P", path]);

/**
 * Lines such as `4711 fsync(6</data/catalog.sqlite-wal>) = -1 EIO (Input/output error) (INJECTED)`. A call that another
 * thread's line interrupts is continued on a later one, and one in which the process was killed ends with `= ?`.
 */
export function parseTrace(log: string): TracedSync[] {
  const syncs: TracedSync[] = [];
  const unfinished = new Map<string, number>();
  for (const line of log.split("\n")) {
    const [thread = ""] = line.split(" ", 1);
    const injected = line.includes("(INJECTED)") || /\) += \?$/.test(line);
    const begun = /^\d+ +(fsync|fdatasync)\(\d+<([^>]*)>/.exec(line);
    if (begun !== null) {
      const at = syncs.push({ call: begun[1] as SyncCall, path: begun[2] as string, injected }) - 1;
      if (line.endsWith("<unfinished ...>")) unfinished.set(thread, at);
    } else if (injected) {
      const at = unfinished.get(thread);
      if (at !== undefined) syncs[at] = { ...(syncs[at] as TracedSync), injected };
    }
  }
  return syncs;
}
