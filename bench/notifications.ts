import { type Benchmark, interleave } from "./frame.ts";
import { runLoad } from "./load.ts";
import { seededFolder } from "./seed.ts";
import { startStore } from "./store.ts";

export const notifications: Benchmark = {
  name: "notifications",
  about: "100 events by GET /v1/events?limit=100",
  async run(context) {
    const dataFolder = await seededFolder(context.cache, { images: 1000 }, context.say);
    await using store = await startStore({ dataFolder, settings: { EVENTS_RETENTION: "forever" } });
    const p99s: number[] = [];
    const read = async () => {
      const load = { port: store.port, method: "GET", path: "/v1/events?limit=100", connections: 1, expect: 200 };
      const result = await runLoad({ ...load, seconds: context.seconds(3) });
      p99s.push(result.p99);
      return result.p50;
    };
    await read();
    p99s.length = 0;
    const { p50 } = await interleave(context.runs, { p50: read });
    const work = "read 100 notifications over HTTP, one request at a time";
    const note = "client time, an upper bound of server time (see handlers)";
    return [
      {
        work: `${work}, median`,
        ours: { unit: "ms", runs: p50 },
        goal: { of: "ours", bound: "most", value: 1 },
        note,
      },
      { work: `${work}, p99`, ours: { unit: "ms", runs: p99s } },
    ];
  },
};
