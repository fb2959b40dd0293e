import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "./clock.ts";
import { type FleetServers, nodeOptions } from "./fleet-servers.ts";
import { type Context, interleave, type Row } from "./frame.ts";
import { createAlbum, type RunningStore, startStore, sumMetric } from "./store.ts";

const STREAMS = 2000;
/** What a process has open besides. */
const OTHER_FILES = 200;
const OPENED_AT_ONCE = 100;
const SETTLE_SECONDS = 5;

/** Memory of a node with open event streams, against the same node without. */
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
      // The first event loads code, which must not count as memory of the streams.
      await createAlbum(node, crypto.randomUUID());
      without.push(await settledMB(context, node));
      using clients = await openStreams(node, count);
      await createAlbum(node, crypto.randomUUID());
      await clients.haveAnEvent();
      // They stay open until the memory has been measured.
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

/** Resolves when the node has accepted all streams, which connect a hundred at a time. */
async function openStreams(node: RunningStore, count: number) {
  const request = `GET /v1/events/stream?after=latest HTTP/1.1\r\nhost: 127.0.0.1:${node.port}\r\n\r\n`;
  const seen = { events: 0, ends: 0 };
  const sockets: Bun.Socket[] = [];
  const open = async () => {
    let hasEvent = false;
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: node.port,
      socket: {
        data(_, chunk) {
          // The last of its chunks is empty; the connection stays.
          if (chunk.includes("\r\n0\r\n\r\n")) seen.ends++;
          if (hasEvent || !chunk.includes("\ndata: ")) return;
          hasEvent = true;
          seen.events++;
        },
        close: () => void seen.ends++,
      },
    });
    socket.write(request);
    sockets.push(socket);
  };
  while (sockets.length < count) {
    await Promise.all(Array.from({ length: Math.min(OPENED_AT_ONCE, count - sockets.length) }, open));
    await until(async () => sumMetric(await node.metrics(), "image_store_sse_clients") === sockets.length, 30);
  }
  return {
    /** @throws Error when a stream misses the event or is closed */
    async haveAnEvent(): Promise<void> {
      await until(() => seen.events === count || seen.ends > 0, 30);
      if (seen.ends > 0) throw new Error(`The node ended ${seen.ends} of ${count} streams.`);
    },
    [Symbol.dispose]() {
      for (const socket of sockets) socket.terminate();
    },
  };
}

/** Bun raises its own limit of open files. */
async function mostOpenFiles(): Promise<number> {
  const limits = await readFile("/proc/self/limits", "utf8");
  const most = /^Max open files +\S+ +(\S+)/m.exec(limits)?.[1];
  return most === "unlimited" ? Number.POSITIVE_INFINITY : Number(most);
}
