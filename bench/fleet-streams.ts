import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "./clock.ts";
import { type FleetServers, nodeOptions } from "./fleet-servers.ts";
import { type Context, interleave, type Row } from "./frame.ts";
import { createAlbum, type RunningStore, startStore, sumMetric } from "./store.ts";

const STREAMS = 2000;
/** What a process has open besides. */
const OTHER_FILES = 200;
const SETTLE_SECONDS = 5;

/** What open event streams cost a node in memory, against the same node before they came. */
export async function streams(context: Context, servers: FleetServers): Promise<readonly Row[]> {
  const count = context.smoke ? 50 : STREAMS;
  const work = `memory of a node with ${count.toLocaleString("en")} event streams`;
  const most = await mostOpenFiles();
  if (most < count + OTHER_FILES)
    return [{ work, ours: undefined, note: `NOT RUN: a process may open ${most} files (ulimit -Hn)` }];

  const place = await servers.createPlace();
  const without: number[] = [];
  const { with: withStreams } = await interleave(context.runs, {
    with: async () => {
      await using node = await startStore({
        dataFolder: join(context.folder, "streams"),
        ...nodeOptions(servers, place),
      });
      // The first event of a node brings code with it that no stream is to be charged with.
      await createAlbum(node, crypto.randomUUID());
      without.push(await settledMB(context, node));
      using clients = await openStreams(node, count);
      await createAlbum(node, crypto.randomUUID());
      await until(() => clients.reached() === count, 30);
      // Not before it is settled may they all go.
      return await settledMB(context, node);
    },
  });
  return [
    {
      work,
      ours: { unit: "MB", runs: withStreams },
      against: { name: "the same node before", series: { unit: "MB", runs: without } },
      note: `resident, ${SETTLE_SECONDS} s after an event had reached them all`,
    },
    {
      work: "  of it, for each stream",
      ours: {
        unit: "KB",
        runs: withStreams.map((megabytes, run) => ((megabytes - (without[run] ?? 0)) * 1024) / count),
      },
    },
  ];
}

async function settledMB(context: Context, node: RunningStore): Promise<number> {
  await Bun.sleep(context.seconds(SETTLE_SECONDS) * 1000);
  return node.residentMB();
}

/** Resolves when the node has them all. */
async function openStreams(node: RunningStore, count: number): Promise<{ reached(): number } & Disposable> {
  let reached = 0;
  const request = `GET /v1/events/stream?after=latest HTTP/1.1\r\nhost: 127.0.0.1:${node.port}\r\n\r\n`;
  const open = async () => {
    // An event may come in pieces, but not so that none begins a line with its data.
    let seen = false;
    return Bun.connect({
      hostname: "127.0.0.1",
      port: node.port,
      socket: {
        open: (socket) => void socket.write(request),
        data: (_, chunk) => {
          if (seen || !chunk.includes("\ndata: ")) return;
          seen = true;
          reached++;
        },
      },
    });
  };
  const sockets = await Promise.all(Array.from({ length: count }, open));
  await until(async () => sumMetric(await node.metrics(), "image_store_sse_clients") === count, 30);
  return {
    reached: () => reached,
    [Symbol.dispose]() {
      for (const socket of sockets) socket.terminate();
    },
  };
}

/** Bun takes as many as it may by itself. */
async function mostOpenFiles(): Promise<number> {
  const limits = await readFile("/proc/self/limits", "utf8");
  const most = /^Max open files +\S+ +(\S+)/m.exec(limits)?.[1];
  return most === "unlimited" ? Number.POSITIVE_INFINITY : Number(most);
}
