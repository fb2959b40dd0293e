import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { openInProcess } from "./in-process.ts";
import { runLoad } from "./load.ts";
import { startPeer } from "./peers/peer.ts";
import { startStore } from "./store.ts";

const IN_FLIGHT = 64;

export const albums: Benchmark = {
  name: "albums",
  about: "durable album creates, against one commit per create on the same SQLite",
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
        against: { name: "one commit per create, same rows, no validation", series: { unit: "/s", runs: theirs } },
        goal: { of: "ratio", bound: "least", value: 5 },
        note: "the load generator shares the cores",
      },
      await inProcess(context),
    ];
  },
};

/** Without sockets and load generator: the difference is the cost of HTTP and the client. */
async function inProcess(context: Context): Promise<Row> {
  await using store = await openInProcess(join(context.folder, "in-process"));
  const create = async (seconds: number) => {
    const start = performance.now();
    const prefix = crypto.randomUUID();
    let created = 0;
    const createUntilEnd = async () => {
      while (performance.now() - start < seconds * 1000) {
        const request = new Request("http://127.0.0.1/v1/albums", {
          method: "POST",
          headers: { host: "127.0.0.1", "content-type": "application/json" },
          body: `{"name":"${prefix}-${created++}"}`,
        });
        const response = await store.handle(request);
        await response.bytes();
        if (response.status !== 201) throw new Error(`The album was answered ${response.status}.`);
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, createUntilEnd));
    return (created * 1000) / (performance.now() - start);
  };
  await create(context.seconds(2));
  const { ours } = await interleave(context.runs, { ours: () => create(context.seconds(4)) });
  return { work: `the same in process, ${IN_FLIGHT} in flight`, ours: { unit: "/s", runs: ours } };
}
