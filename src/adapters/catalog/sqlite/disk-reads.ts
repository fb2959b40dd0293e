import { dlopen, FFIType, ptr } from "bun:ffi";

/** Counts the blocks that this thread has had the disk read; it grows only when a page was not in memory. */
export type DiskReadCounter = () => number;

/** Of Linux: of the calling thread alone. */
const RUSAGE_THREAD = 1;
/** In a `struct rusage` of 18 numbers: two times of two numbers each, then seven others. */
const LENGTH = 18;
const BLOCKS_READ = 11;

/** Null where the system does not tell. */
export function openDiskReadCounter(): DiskReadCounter | null {
  const getrusage = loadGetrusage();
  if (getrusage === undefined) return null;
  const usage = new BigInt64Array(LENGTH);
  const address = ptr(usage);
  return () => {
    getrusage(RUSAGE_THREAD, address);
    return Number(usage[BLOCKS_READ]);
  };
}

function loadGetrusage() {
  if (process.platform !== "linux") return undefined;
  try {
    const library = dlopen("libc.so.6", {
      getrusage: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
    });
    return library.symbols.getrusage;
  } catch {
    // A C library of another name.
    return undefined;
  }
}
