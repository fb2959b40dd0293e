import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Benchmark, interleave } from "./frame.ts";
import { runLoad } from "./load.ts";
import { startPeer } from "./peers/peer.ts";
import { startStore } from "./store.ts";

const IN_FLIGHT = 64;

export const albums: Benchmark = {
  name: "albums",
  about: "durable creates of albums against one commit each on the same SQLite",
  async run(context) {
    await using store = await startStore({ dataFolder: join(context.folder, "data") });
    const peerFolder = join(context.folder, "commit-each");
    await mkdir(peerFolder);
    await using commitEach = await startPeer("commit-each.ts", [peerFolder]);
    const create = async (port: number, seconds: number) => {
      const result = await runLoad({
        port,
        method: "POST",
        path: "/v1/albums",
        headers: { "content-type": "application/json" },
        body: `{"name":"${crypto.randomUUID()}-{n}"}`,
        connections: IN_FLIGHT,
        seconds,
        expect: 201,
      });
      return result.perSecond;
    };
    await create(store.port, context.seconds(2));
    await create(commitEach.port, context.seconds(1));
    const { ours, theirs } = await interleave(context.runs, {
      ours: () => create(store.port, context.seconds(4)),
      theirs: () => create(commitEach.port, context.seconds(4)),
    });
    return [
      {
        work: `create album, durable, ${IN_FLIGHT} in flight`,
        ours: { unit: "/s", runs: ours },
        against: { name: "one commit each, same rows, no validation", series: { unit: "/s", runs: theirs } },
        goal: { of: "ratio", bound: "least", value: 5 },
        note: "the load shares the cores",
      },
    ];
  },
};
