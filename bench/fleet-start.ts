import { join } from "node:path";
import { type FleetServers, nodeOptions } from "./fleet-servers.ts";
import { type Context, interleave, type Row } from "./frame.ts";
import { type StoreOptions, startStore } from "./store.ts";

/** As in `start`. */
const IDLE_SECONDS = 3;

/** A node that joins an existing store, against the embedded default. */
export async function nodeStart(context: Context, servers: FleetServers): Promise<readonly Row[]> {
  const node = { dataFolder: join(context.folder, "node"), ...nodeOptions(servers, await servers.createPlace()) };
  const embedded = { dataFolder: join(context.folder, "embedded") };
  const memory = { node: [] as number[], embedded: [] as number[] };
  const measure = async (options: StoreOptions, megabytes: number[]) => {
    await using store = await startStore(options);
    await Bun.sleep(context.seconds(IDLE_SECONDS) * 1000);
    megabytes.push(await store.residentMB());
    return store.startedIn;
  };
  // The very first node creates the tables.
  for (const options of [node, embedded]) await (await startStore(options))[Symbol.asyncDispose]();
  const ready = await interleave(context.runs, {
    node: () => measure(node, memory.node),
    embedded: () => measure(embedded, memory.embedded),
  });
  const name = "embedded default";
  return [
    {
      work: "start to ready on PostgreSQL + S3",
      ours: { unit: "ms", runs: ready.node },
      against: { name, series: { unit: "ms", runs: ready.embedded } },
      goal: { of: "ours", bound: "most", value: 500 },
      note: "from from process start to the first 200 of /readyz; the tables exist",
    },
    {
      work: "memory of an idle node",
      ours: { unit: "MB", runs: memory.node },
      against: { name, series: { unit: "MB", runs: memory.embedded } },
      goal: { of: "ours", bound: "most", value: 150 },
      note: `resident, ${IDLE_SECONDS} s after start`,
    },
  ];
}
