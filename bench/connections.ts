import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { startBareAnswer } from "./contenders.ts";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { LOAD_PLACE, type LoadResult, runGetLoad } from "./load.ts";
import { SERVER_CORE } from "./machine.ts";
import { startNginx } from "./peers/nginx.ts";
import { createAlbum, putImage, startStore } from "./store.ts";

const CONNECTIONS = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/** Connections of the row of percentiles. */
const TYPICAL = 32;
const PERCENTILES = { 50: "p50", 75: "p75", 90: "p90", 99: "p99", 99.9: "p999" } as const;

export const THROUGHPUT = "GET content, 4 KB, by connections";
export const LATENCY = `GET content, 4 KB, ${TYPICAL} connections, by percentile`;

interface Side {
  readonly port: number;
  readonly path: string;
}

export const connections: Benchmark = {
  name: "connections",
  about: "GET of a hot original with 1 to 256 connections, and its latencies: the two plots of docs/performance.md",
  async run(context) {
    const settings = { LOG_LEVEL: "info" };
    await using store = await startStore({ dataFolder: join(context.folder, "data"), core: SERVER_CORE, settings });
    await createAlbum(store, "bench");
    const bytes = await jpegOf(4096);
    const { links } = await putImage(store, "bench", "4.jpg", bytes);
    await using bare = await startBareAnswer(join(context.folder, "bare"), store.url + links.content);
    const root = join(context.folder, "root");
    await mkdir(root);
    await Bun.write(join(root, "4.jpg"), bytes);
    await using nginx = await startNginx(root, join(context.folder, "nginx"), { accessLog: true });
    const ours = { port: store.port, path: links.content };
    const others = {
      ...(nginx && { "nginx, access log": { port: nginx.port, path: "/4.jpg" } }),
      "bare Bun.serve": { port: bare.port, path: "/" },
    };
    const rows: Row[] = [];
    for (const count of context.smoke ? CONNECTIONS.slice(0, 2) : CONNECTIONS)
      rows.push(...(await measure(context, ours, others, count)));
    return rows;
  },
};

async function measure(
  context: Context,
  ours: Side,
  others: Readonly<Record<string, Side>>,
  count: number,
): Promise<readonly Row[]> {
  const load = { connections: count, seconds: context.seconds(1) };
  const results: Record<string, LoadResult[]> = {};
  const sides: Readonly<Record<string, Side>> = { ours, ...others };
  const turns = Object.entries(sides).map(([name, side]) => {
    const own: LoadResult[] = [];
    results[name] = own;
    return [
      name,
      async () => {
        own.push(await runGetLoad({ ...side, ...load }));
        return own.at(-1)?.perSecond ?? Number.NaN;
      },
    ] as const;
  });
  if (!context.smoke) await runGetLoad({ ...ours, ...load });
  await interleave(context.runs, Object.fromEntries(turns));
  const row = (work: string, at: number, name: string, of: (result: LoadResult) => number, unit: "/s" | "ms"): Row => ({
    work,
    at,
    ours: { unit, runs: (results["ours"] ?? []).map(of) },
    against: { name, series: { unit, runs: (results[name] ?? []).map(of) } },
    note: `${count} connections; ${LOAD_PLACE}`,
  });
  return Object.keys(others).flatMap((name) => [
    row(THROUGHPUT, count, name, ({ perSecond }) => perSecond, "/s"),
    ...(count === TYPICAL
      ? Object.entries(PERCENTILES).map(([percent, key]) =>
          row(LATENCY, Number(percent), name, (result) => result[key], "ms"),
        )
      : []),
  ]);
}
