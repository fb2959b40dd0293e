import { readdirSync, readFileSync } from "node:fs";

/** USER_HZ, which is 100 wherever Linux shows it to a program. */
const CLOCK_TICKS = 100;

/** Processor time of a process in seconds; with `family`, also of its children, ended ones included. */
export function cpuSeconds(pid: number, { family = false } = {}): number {
  const own = statOf(pid);
  if (own === undefined) throw new Error(`There is no process ${pid}.`);
  if (!family) return (own.user + own.system) / CLOCK_TICKS;
  const living = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => statOf(Number(name)))
    .filter((stat) => stat?.parent === pid);
  const children = living.reduce((sum, stat) => sum + (stat?.user ?? 0) + (stat?.system ?? 0), 0);
  return (own.user + own.system + own.reaped + children) / CLOCK_TICKS;
}

/** Of the thread that runs the event loop, without the others, in seconds. */
export function cpuSecondsOfMainThread(pid: number): number {
  const stat = statOf(pid, `task/${pid}/`);
  if (stat === undefined) throw new Error(`There is no process ${pid}.`);
  return (stat.user + stat.system) / CLOCK_TICKS;
}

export function parentOf(pid: number): number {
  const stat = statOf(pid);
  if (stat === undefined) throw new Error(`There is no process ${pid}.`);
  return stat.parent;
}

function statOf(pid: number, task = ""): { parent: number; user: number; system: number; reaped: number } | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/${task}stat`, "utf8");
  } catch {
    return undefined;
  }
  // The name of the command comes before, in brackets, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const number = (index: number) => Number(fields[index]);
  return { parent: number(1), user: number(11), system: number(12), reaped: number(13) + number(14) };
}
