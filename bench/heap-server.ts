/**
 * Preloaded into a server that is measured: responds with what is in the heap of its main thread. With the collector off, that is
 * all that was ever allocated.
 */
import { heapStats } from "bun:jsc";
import { isMainThread } from "node:worker_threads";
import { freePort } from "./load.ts";

const PORT = "BENCH_HEAP_PORT";

/** Of one heap, since its start. */
export interface Allocated {
  /** Of objects, and of what they own outside of the heap. */
  readonly bytes: number;
  readonly objects: Readonly<Record<string, number>>;
}

if (isMainThread && process.env[PORT] !== undefined) {
  Bun.serve({
    hostname: "127.0.0.1",
    port: Number(process.env[PORT]),
    fetch() {
      const { heapCapacity, extraMemorySize, objectTypeCounts } = heapStats();
      const allocated: Allocated = { bytes: heapCapacity + extraMemorySize, objects: objectTypeCounts };
      return Response.json(allocated);
    },
  }).unref();
}

/** How to start a server so that `allocated` can ask it. */
export async function countAllocations() {
  const port = await freePort();
  return {
    flags: ["--preload", import.meta.path],
    env: { [PORT]: String(port), BUN_JSC_useGC: "0", BUN_GC_TIMER_DISABLE: "1" },
    allocated: async () => (await (await fetch(`http://127.0.0.1:${port}`)).json()) as Allocated,
  };
}
