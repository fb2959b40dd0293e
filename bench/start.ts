import { join } from "node:path";
import { type Benchmark, interleave } from "./frame.ts";
import { startStore } from "./store.ts";

/** Long enough for background work after a start. */
const IDLE_SECONDS = 3;

export const start: Benchmark = {
  name: "start",
  about: "time from start to ready, and idle memory",
  async run(context) {
    const dataFolder = join(context.folder, "data");
    const memory: number[] = [];
    const { ready } = await interleave(context.runs, {
      ready: async () => {
        await using store = await startStore({ dataFolder });
        await Bun.sleep(context.seconds(IDLE_SECONDS) * 1000);
        memory.push(await store.residentMB());
        return store.startedIn;
      },
    });
    return [
      {
        work: "start to ready",
        ours: { unit: "ms", runs: ready },
        goal: { of: "ours", bound: "most", value: 500 },
        note: "from process start to the first 200 of /readyz",
      },
      {
        work: "memory when idle",
        ours: { unit: "MB", runs: memory },
        goal: { of: "ours", bound: "most", value: 150 },
        note: `resident, ${IDLE_SECONDS} s after start`,
      },
    ];
  },
};
