import { dlopen, FFIType } from "bun:ffi";
import { readdirSync } from "node:fs";
import { constants, setPriority } from "node:os";

/** Of Linux: threads that run only when no other thread wants the processor. */
const SCHED_IDLE = 5;

/** Lowers this process below the server. On Linux a priority belongs to a thread, and new threads inherit it. */
export function lowerPriority(): void {
  setAll(constants.priority.PRIORITY_BELOW_NORMAL);
}

/** Lets this process run when the processor is idle: the lowest priority, and on Linux the idle class of the scheduler. */
export function runWhenIdle(): void {
  setAll(constants.priority.PRIORITY_LOW);
  if (process.platform !== "linux") return;
  try {
    const { symbols } = dlopen("libc.so.6", {
      sched_setscheduler: { args: [FFIType.i32, FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
    });
    const parameter = new Int32Array(1);
    for (const thread of threads()) symbols.sched_setscheduler(thread, SCHED_IDLE, parameter);
  } catch {
    // A C library of another name: the lowest priority has to do.
  }
}

function setAll(priority: number): void {
  for (const thread of threads()) {
    try {
      setPriority(thread, priority);
    } catch {
      // The thread has just ended, or the system forbids it.
    }
  }
}

/** Those that run already: the runtime starts some before any of our code runs. */
const threads = (): readonly number[] =>
  process.platform === "linux" ? readdirSync("/proc/self/task").map(Number) : [process.pid];
