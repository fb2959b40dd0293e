import { join } from "node:path";
import { type FleetServers, nodeOptions, type Place } from "./fleet-servers.ts";
import { type Context, interleave, type Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import type { BarePutOptions, BarePutResult } from "./peers/bare-put.ts";
import { createAlbum, createImages, type RunningStore, startStore } from "./store.ts";

const KILOBYTES = 100;
/** The store's default, set for both sides. */
const POOL_SIZE = 10;

/** Durable creates on one node, against the bare operations that they consist of. */
export async function creates(context: Context, servers: FleetServers): Promise<readonly Row[]> {
  const file = join(context.folder, `${KILOBYTES}.jpg`);
  await Bun.write(file, await jpegOf(KILOBYTES * 1024));
  const { settings, env } = nodeOptions(servers, await servers.createPlace());
  await using node = await startStore({
    dataFolder: join(context.folder, "creates"),
    settings: { ...settings, CATALOG_POOL: String(POOL_SIZE) },
    env,
  });
  await createAlbum(node, "bench");
  const barePlace = await servers.createPlace();
  const rows: Row[] = [];
  for (const inFlight of [32, 1]) rows.push(...(await compare(context, servers, node, barePlace, file, inFlight)));
  return rows;
}

async function compare(
  context: Context,
  servers: FleetServers,
  node: RunningStore,
  barePlace: Place,
  imageFile: string,
  inFlight: number,
): Promise<readonly Row[]> {
  const seconds = context.seconds(5);
  const warmUpSeconds = context.smoke ? 0.1 : 2;
  const cpu: Record<"node" | "postgres" | "bare", number[]> = { node: [], postgres: [], bare: [] };
  let worst = 0;
  // Before each run, as in the peer, which is a new process each time.
  const warmUp = () => createImages(node, imageFile, { seconds: warmUpSeconds, inFlight });
  const runs = await interleave(context.runs, {
    ours: async () => {
      await warmUp();
      const before = { node: await node.cpuSeconds(), postgres: servers.postgresCpuSeconds() };
      const { perSecond, p99, requests } = await createImages(node, imageFile, { seconds, inFlight });
      cpu.node.push(((await node.cpuSeconds()) - before.node) * (1e6 / requests));
      cpu.postgres.push((servers.postgresCpuSeconds() - before.postgres) * (1e6 / requests));
      worst = Math.max(worst, p99);
      return perSecond;
    },
    bare: async () => {
      const options = { ...barePlace, poolSize: POOL_SIZE, imageFile, inFlight, warmUpSeconds, seconds };
      const { perSecond, cpuSeconds, uploads } = await bareLoop(servers, options);
      cpu.bare.push(cpuSeconds * (1e6 / uploads));
      return perSecond;
    },
  });
  return [
    {
      work: `create image, ${KILOBYTES} KB, PostgreSQL + S3, ${inFlight} in flight`,
      ours: { unit: "/s", runs: runs.ours },
      against: { name: "bare PUT + HEAD + 2 commits", series: { unit: "/s", runs: runs.bare } },
      goal: { of: "ratio", bound: "least", value: 0.7 },
      note: `worst p99 ${worst.toFixed(0)} ms; node, load, PostgreSQL and S3 share all cores`,
    },
    {
      work: "  processor time of the node",
      ours: { unit: "µs", runs: cpu.node },
      against: { name: "of the bare process", series: { unit: "µs", runs: cpu.bare } },
      note: "of one create, all threads",
    },
    { work: "  processor time of PostgreSQL", ours: { unit: "µs", runs: cpu.postgres }, note: "of one create" },
  ];
}

/** In a process of its own. */
async function bareLoop(
  { s3 }: FleetServers,
  options: Omit<BarePutOptions, "endpoint" | "region">,
): Promise<BarePutResult> {
  const all: BarePutOptions = { ...options, endpoint: s3.endpoint, region: s3.region };
  const command = [process.execPath, join(import.meta.dir, "peers", "bare-put.ts"), JSON.stringify(all)];
  const printed = await Bun.$`${command}`
    .env({ ...process.env, ...s3.env })
    .quiet()
    .text();
  return JSON.parse(printed) as BarePutResult;
}
