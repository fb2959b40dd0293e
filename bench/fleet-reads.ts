import { join } from "node:path";
import { type FleetServers, nodeOptions } from "./fleet-servers.ts";
import { type Context, interleave, type Row, type Unit } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { LOAD_PLACE, runGetLoad } from "./load.ts";
import { createAlbum, putImage, type RunningStore, startStore } from "./store.ts";

const NODES = 3;
/** In total over all nodes, so one node has as many as three. */
const CONNECTIONS = 30;
const KILOBYTES = 100;

/**
 * Reads spread over three nodes, against all of them at one. Where there are too few cores for three, the rates tell what
 * the others cost, and the processor time of a request what a core of its own would serve.
 */
export async function reads(context: Context, servers: FleetServers): Promise<readonly Row[]> {
  const place = await servers.createPlace();
  await using starting = new AsyncDisposableStack();
  const nodes = await Promise.all(
    Array.from({ length: NODES }, async (_, index) =>
      starting.use(
        await startStore({ dataFolder: join(context.folder, `node-${index}`), ...nodeOptions(servers, place) }),
      ),
    ),
  );
  const [first] = nodes;
  if (first === undefined) throw new Error("There is no node.");
  await createAlbum(first, "bench");
  const { links } = await putImage(first, "bench", "image.jpg", await jpegOf(KILOBYTES * 1024));
  const all: Reading = { context, servers, nodes, first };
  return [
    ...(await compare(all, `GET content, ${KILOBYTES} KB, hot, by id and digest`, links.content)),
    ...(await compare(all, "GET image record", links.self)),
  ];
}

interface Reading {
  readonly context: Context;
  readonly servers: FleetServers;
  readonly nodes: readonly RunningStore[];
  readonly first: RunningStore;
}

async function compare({ context, servers, nodes, first }: Reading, work: string, path: string): Promise<Row[]> {
  const cpu = { three: newCosts(), one: newCosts() };
  const measure = async (asked: readonly RunningStore[], seconds: number, costs?: Costs) => {
    const before = { nodes: await cpuOf(asked), postgres: servers.postgresCpuSeconds() };
    const connections = CONNECTIONS / asked.length;
    const results = await Promise.all(asked.map(({ port }) => runGetLoad({ port, path, connections, seconds })));
    const requests = results.reduce((sum, result) => sum + result.requests, 0);
    costs?.nodes.push(((await cpuOf(asked)) - before.nodes) * (1e6 / requests));
    costs?.postgres.push((servers.postgresCpuSeconds() - before.postgres) * (1e6 / requests));
    return results.reduce((sum, result) => sum + result.perSecond, 0);
  };
  if (!context.smoke) await measure(nodes, context.seconds(2));
  const seconds = context.seconds(4);
  const runs = await interleave(context.runs, {
    three: () => measure(nodes, seconds, cpu.three),
    one: () => measure([first], seconds, cpu.one),
  });
  return [
    against(
      `${work}, ${NODES} nodes, ${CONNECTIONS} connections`,
      "/s",
      runs.three,
      runs.one,
      `nodes and PostgreSQL have all cores; ${LOAD_PLACE}`,
    ),
    against("  processor time of the nodes", "µs", cpu.three.nodes, cpu.one.nodes, "of one request, all threads"),
    against("  processor time of PostgreSQL", "µs", cpu.three.postgres, cpu.one.postgres, "of one request"),
  ];
}

function against(work: string, unit: Unit, three: readonly number[], one: readonly number[], note: string): Row {
  return {
    work,
    ours: { unit, runs: three },
    against: { name: "one node", series: { unit, runs: one } },
    note,
  };
}

interface Costs {
  readonly nodes: number[];
  readonly postgres: number[];
}

const newCosts = (): Costs => ({ nodes: [], postgres: [] });

async function cpuOf(nodes: readonly RunningStore[]): Promise<number> {
  const each = await Promise.all(nodes.map((node) => node.cpuSeconds()));
  return each.reduce((sum, seconds) => sum + seconds, 0);
}
