import { join } from "node:path";
import { type ProxyConnection, startProxy } from "../test/services/tcp-proxy.ts";
import { type CpuProfile, heaviest } from "./cpu-profile.ts";
import { type FleetServers, nodeOptions, runningServers, serversAreMissing } from "./fleet-servers.ts";
import type { Benchmark, Context, Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { createAlbum, createImages, type RunningStore, startStore, sumMetric } from "./store.ts";

const SHOWN = 25;

/** The steps of an upload as the metrics time them, from the call to its end, waiting included. */
const STEPS = [
  { step: "find the album", metric: "catalog_operation", operation: "album" },
  { step: "look for the name", metric: "catalog_operation", operation: "image" },
  { step: "stage (receive, hash)", metric: "blob_operation", operation: "stage" },
  { step: "probe (read the headers)", metric: "renderer_operation", operation: "probe" },
  { step: "reserve (a commit)", metric: "catalog_operation", operation: "reserveBlobs" },
  { step: "PUT and HEAD", metric: "blob_operation", operation: "commit" },
  { step: "record and event (a commit)", metric: "catalog_operation", operation: "putImages" },
] as const;

export const fleetProfile: Benchmark = {
  name: "fleet-profile",
  about: "where the time of a create on PostgreSQL and S3 goes: round trips, steps and a profile of the node",
  async run(context) {
    if (serversAreMissing())
      return [{ work: "nodes", ours: undefined, note: "NOT RUN: requires PostgreSQL and an S3 server" }];
    const servers = await runningServers();
    const file = join(context.folder, "100.jpg");
    await Bun.write(file, await jpegOf(100 * 1024));
    const rows = [...(await roundTrips(context, servers, file)), ...(await steps(context, servers, file))];
    for await (const path of new Bun.Glob("*.cpuprofile").scan({ cwd: profilesOf(context), absolute: true })) {
      console.log(`\nMain thread, own time, of the time that it ran:`);
      for (const { share, name } of heaviest((await Bun.file(path).json()) as CpuProfile, SHOWN))
        console.log(`${(share * 100).toFixed(1).padStart(6)} %  ${name}`);
    }
    return rows;
  },
};

const profilesOf = ({ folder }: Context): string => join(folder, "profiles");

/** One after another, with proxies that count between the node and the servers. */
async function roundTrips(context: Context, servers: FleetServers, file: string): Promise<readonly Row[]> {
  const { catalogUrl, bucket } = await servers.createPlace();
  await using postgres = await countRoundTrips(Number(new URL(catalogUrl).port));
  await using s3 = await countRoundTrips(servers.s3.port);
  await using node = await startStore({
    dataFolder: join(context.folder, "counted"),
    settings: {
      CATALOG_URL: postgres.through(catalogUrl),
      BLOBS_URL: servers.s3.blobsUrl(bucket, "", s3.through(servers.s3.endpoint)),
    },
    env: servers.s3.env,
  });
  await createAlbum(node, "bench");
  const load = { seconds: context.seconds(2), inFlight: 1 };
  await createImages(node, file, load);
  const before = { ...postgres.counts };
  const beforeS3 = s3.counts.asked;
  const { requests } = await createImages(node, file, load);
  const row = (work: string, count: number, note: string): Row => ({
    work,
    ours: { unit: "trips", runs: [count / requests] },
    note,
  });
  return [
    row(
      "round trips of a create to PostgreSQL",
      postgres.counts.asked - before.asked,
      "includes concurrent background work",
    ),
    row("  and for its event's number", postgres.counts.log - before.log, "no request waits for them"),
    row("round trips of a create to S3", s3.counts.asked - beforeS3, "PUT, HEAD"),
  ];
}

async function countRoundTrips(port: number) {
  const counts = { asked: 0, log: 0 };
  const unanswered = new Set<ProxyConnection>();
  const ofTheLog = new WeakSet<ProxyConnection>();
  const proxy = await startProxy(port, {
    onData(direction, chunk, connection) {
      if (direction === "toServer") {
        if (chunk.includes("listen image_store_events")) ofTheLog.add(connection);
        unanswered.add(connection);
      } else if (unanswered.delete(connection)) counts[ofTheLog.has(connection) ? "log" : "asked"]++;
    },
  });
  return { ...proxy, counts };
}

async function steps(context: Context, servers: FleetServers, file: string): Promise<readonly Row[]> {
  await using node = await startStore({
    dataFolder: join(context.folder, "profiled"),
    ...nodeOptions(servers, await servers.createPlace()),
    runtimeFlags: ["--cpu-prof", `--cpu-prof-dir=${profilesOf(context)}`],
  });
  await createAlbum(node, "bench");
  const rows: Row[] = [];
  for (const inFlight of [1, 32]) {
    await createImages(node, file, { seconds: context.seconds(2), inFlight });
    rows.push(...(await measureSteps(servers, node, file, { seconds: context.seconds(5), inFlight })));
  }
  return rows;
}

async function measureSteps(
  servers: FleetServers,
  node: RunningStore,
  file: string,
  load: { readonly seconds: number; readonly inFlight: number },
): Promise<readonly Row[]> {
  const before = { cpu: await node.cpuSeconds(), pg: servers.postgresCpuSeconds(), metrics: await node.metrics() };
  const { requests, perSecond, p50 } = await createImages(node, file, load);
  const after = { cpu: await node.cpuSeconds(), pg: servers.postgresCpuSeconds(), metrics: await node.metrics() };
  const grown = (metric: string, label: string) =>
    sumMetric(after.metrics, `image_store_${metric}`, label) -
    sumMetric(before.metrics, `image_store_${metric}`, label);
  const perCreate = (seconds: number) => [(seconds * 1e6) / requests];
  return [
    {
      work: `create image, 100 KB, PostgreSQL + S3, ${load.inFlight} in flight, profiled`,
      ours: { unit: "/s", runs: [perSecond] },
    },
    { work: "  processor time of the node", ours: { unit: "µs", runs: perCreate(after.cpu - before.cpu) } },
    { work: "  processor time of PostgreSQL", ours: { unit: "µs", runs: perCreate(after.pg - before.pg) } },
    { work: "  wall time, median", ours: { unit: "ms", runs: [p50] } },
    ...STEPS.map(({ step, metric, operation }): Row => {
      const label = `operation="${operation}"`;
      const seconds = grown(`${metric}_duration_seconds_sum`, label);
      return { work: `    ${step}`, ours: { unit: "ms", runs: [(seconds / requests) * 1000] }, note: "mean" };
    }),
  ];
}
