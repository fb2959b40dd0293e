import { readFileSync } from "node:fs";

export interface ProcessLimits {
  /** Processor time, in milliseconds. Watched on Linux only. */
  readonly timeLimit: number;
  /** Time in all, in milliseconds. */
  readonly wallLimit: number;
  /** Resident bytes. Watched on Linux only. */
  readonly memoryLimit: number;
}

/** `stalled`: it took too long, but not too much processor time. */
export type ExceededLimit = "memory" | "time" | "stalled";

const WATCH_EVERY_MS = 100;

/** Calls `onExceeded`, again and again, once the process has taken more than a limit from now on. Disposing of it ends the watch. */
export function watchProcess(
  pid: number,
  { timeLimit, wallLimit, memoryLimit }: ProcessLimits,
  onExceeded: (limit: ExceededLimit) => void,
): Disposable {
  const deadline = performance.now() + wallLimit;
  const processorLimit = processorTime(pid) + timeLimit;
  const timer = setInterval(() => {
    if (residentBytes(pid) > memoryLimit) onExceeded("memory");
    else if (processorTime(pid) > processorLimit) onExceeded("time");
    else if (performance.now() > deadline) onExceeded("stalled");
  }, WATCH_EVERY_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readProcess(pid, "status"))?.[1] ?? 0) * 1024;

/** Of a tick, in which Linux counts the time of processes on every architecture. */
const TICK_MS = 10;

/** User and system time of all threads, in milliseconds (proc(5): the fields 14 and 15; the name before may hold spaces). */
function processorTime(pid: number): number {
  const stat = readProcess(pid, "stat");
  const [user = 0, system = 0] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13)
    .map(Number);
  return (user + system) * TICK_MS;
}

/** Empty where the system does not tell, and for a process that just ended. */
function readProcess(pid: number, file: "stat" | "status"): string {
  if (process.platform !== "linux") return "";
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
