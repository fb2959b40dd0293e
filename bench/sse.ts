import { join } from "node:path";
import { now, until } from "./clock.ts";
import { type Benchmark, interleave } from "./frame.ts";
import { runLoad } from "./load.ts";
import { percentile } from "./statistics.ts";
import { startStore } from "./store.ts";

const PER_SECOND = 100;

export const sse: Benchmark = {
  name: "sse",
  about: "latency from commit to a client of the event stream",
  async run(context) {
    await using store = await startStore({ dataFolder: join(context.folder, "data") });
    const { p99 } = await interleave(context.runs, {
      p99: async () => {
        await using client = await followEvents(store.url);
        const load = await createAlbumsAtRate(store.port, context.seconds(5));
        await until(() => client.delays.length >= load.requests);
        return percentile(client.delays, 0.99);
      },
    });
    return [
      {
        work: "commit to SSE client, p99",
        ours: { unit: "ms", runs: p99 },
        goal: { of: "ours", bound: "most", value: 20 },
        note: `${PER_SECOND} album creates/s; from the event's time, so the commit's own sync is in it`,
      },
    ];
  },
};

export const createAlbumsAtRate = (port: number, seconds: number) =>
  runLoad({
    port,
    method: "POST",
    path: "/v1/albums",
    headers: { "content-type": "application/json" },
    body: `{"name":"${crypto.randomUUID()}-{n}"}`,
    connections: 8,
    rate: PER_SECOND,
    seconds,
    expect: 201,
  });

/** Of each event that comes from now on: from its `time` until it was here, in milliseconds. */
export async function followEvents(url: string): Promise<{ readonly delays: readonly number[] } & AsyncDisposable> {
  const abort = new AbortController();
  const response = await fetch(`${url}/v1/events/stream?after=latest`, { signal: abort.signal });
  if (!response.ok || response.body === null) throw new Error(`The stream answered ${response.status}.`);
  const delays: number[] = [];
  const reading = read(response.body.pipeThrough(new TextDecoderStream()), delays).catch((error: unknown) => {
    if (!abort.signal.aborted) throw error;
  });
  return {
    delays,
    async [Symbol.asyncDispose]() {
      abort.abort();
      await reading;
    },
  };
}

async function read(text: ReadableStream<string>, delays: number[]): Promise<void> {
  let rest = "";
  for await (const chunk of text) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (!line.startsWith("data:")) continue;
      const event = JSON.parse(line.slice("data:".length)) as { time: string };
      delays.push(now() - Date.parse(event.time));
    }
  }
}
