import { join } from "node:path";
import { now, until } from "./clock.ts";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { runLoad } from "./load.ts";
import { startPeer } from "./peers/peer.ts";
import { createAlbumsAtRate } from "./sse.ts";
import { percentile } from "./statistics.ts";
import { createAlbum, createImages, type RunningStore, startStore } from "./store.ts";

/** What lets a store send to receivers on this machine. */
const LOOPBACK = { OUTBOUND_HTTP: "true", OUTBOUND_ALLOW: "127.0.0.0/8", OUTBOUND_PORTS: "1-65535" };
/** Requests of one webhook at a time. */
const IN_FLIGHT = 64;
/** The port of `discard`, on which no program listens. */
const REFUSED = "http://127.0.0.1:9/";

export const webhooks: Benchmark = {
  name: "webhooks",
  about: "deliveries to a fast receiver, latency, and what dead and idle webhooks cost",
  run: async (context) => [
    await backlogRow(context),
    await latencyRow(context),
    ...(await deadRows(context)),
    ...(await restingRows(context)),
  ],
};

async function backlogRow(context: Context): Promise<Row> {
  const events = context.smoke ? 200 : 20_000;
  await using store = await startStore({ dataFolder: join(context.folder, "backlog"), settings: LOOPBACK });
  await using receiver = await startPeer("receiver.ts", []);
  const url = `http://127.0.0.1:${receiver.port}/`;
  const taken = async () => (await (await fetch(`${url}count`)).json()) as number;
  const { watermark } = (await (await fetch(`${store.url}/v1/albums`)).json()) as { watermark: string };
  await runLoad({
    port: store.port,
    method: "POST",
    path: "/v1/albums",
    headers: { "content-type": "application/json" },
    body: '{"name":"album-{n}"}',
    connections: IN_FLIGHT,
    seconds: 600,
    requests: events,
    expect: 201,
  });
  /** From the request on, also the second until a new webhook is noticed. */
  const rateOf = async (send: () => Promise<unknown>) => {
    const before = await taken();
    const begin = performance.now();
    const sending = send();
    await until(async () => (await taken()) >= before + events, 600);
    const seconds = (performance.now() - begin) / 1000;
    await sending;
    return events / seconds;
  };
  const { ours, bare } = await interleave(context.runs, {
    ours: async () => {
      const created: { id?: string } = {};
      const rate = await rateOf(async () => Object.assign(created, await createWebhook(store, url, watermark)));
      await fetch(`${store.url}/v1/webhooks/${created.id}`, { method: "DELETE" });
      return rate;
    },
    bare: () => rateOf(() => sendBare(url, events)),
  });
  return {
    work: `deliveries of ${events.toLocaleString("en")} events to one receiver`,
    ours: { unit: "/s", runs: ours },
    against: { name: `a loop of fetch, ${IN_FLIGHT} in flight`, series: { unit: "/s", runs: bare } },
    goal: { of: "ours", bound: "least", value: 2000 },
    note: "the loop signs nothing, reads no log and keeps no result",
  };
}

async function sendBare(url: string, requests: number): Promise<void> {
  const body = JSON.stringify({ specversion: "1.0", type: "bench", data: "x".repeat(600) });
  let left = requests;
  const send = async () => {
    while (left-- > 0) await (await fetch(url, { method: "POST", body })).arrayBuffer();
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, send));
}

async function latencyRow(context: Context): Promise<Row> {
  await using store = await startStore({ dataFolder: join(context.folder, "latency"), settings: LOOPBACK });
  let delays: number[] = [];
  await using receiver = listen(async (request) => {
    const { time } = (await request.json()) as { time: string };
    delays.push(now() - Date.parse(time));
    return new Response(null, { status: 204 });
  });
  await createWebhook(store, receiver.url);
  await createAlbum(store, "noticed");
  await until(() => delays.length > 0);
  const { p99 } = await interleave(context.runs, {
    p99: async () => {
      delays = [];
      const load = await createAlbumsAtRate(store.port, context.seconds(5));
      await until(() => delays.length >= load.requests);
      return percentile(delays, 0.99);
    },
  });
  return {
    work: "commit to webhook's receiver, p99",
    ours: { unit: "ms", runs: p99 },
    goal: { of: "ours", bound: "most", value: 50 },
    note: "100 album creates/s; from the event's time, so the commit's own sync is in it",
  };
}

/** What 100 webhooks that accept nothing cost those who create images. */
async function deadRows(context: Context): Promise<readonly Row[]> {
  const file = join(context.folder, "4.jpg");
  await Bun.write(file, await jpegOf(4096));
  await using hanging = listen(() => new Promise<Response>(() => undefined));
  await using dead = await startStore({ dataFolder: join(context.folder, "dead"), settings: LOOPBACK });
  await using without = await startStore({ dataFolder: join(context.folder, "without"), settings: LOOPBACK });
  for (let made = 0; made < 100; made++) await createWebhook(dead, made % 2 === 0 ? REFUSED : hanging.url);
  for (const store of [dead, without]) {
    await createAlbum(store, "bench");
    await createImages(store, file, { seconds: context.seconds(10), inFlight: 16 });
  }
  const times = { dead: [] as number[], without: [] as number[] };
  const measure = (store: RunningStore, ofStore: number[]) => async () => {
    const before = await store.cpuSeconds();
    const { perSecond, requests } = await createImages(store, file, { seconds: context.seconds(10), inFlight: 16 });
    ofStore.push(((await store.cpuSeconds()) - before) * (1e6 / requests));
    return perSecond;
  };
  const figures = await interleave(context.runs, {
    dead: measure(dead, times.dead),
    without: measure(without, times.without),
  });
  const work = "create image, 4 KB, 16 in flight, with 100 dead webhooks";
  return [
    {
      work,
      ours: { unit: "/s", runs: figures.dead },
      against: { name: "without webhooks", series: { unit: "/s", runs: figures.without } },
      goal: { of: "ratio", bound: "least", value: 0.97 },
      note: "half of them refuse connections, half never respond",
    },
    {
      work: `${work}: processor time of the store`,
      ours: { unit: "µs", runs: times.dead },
      against: { name: "without webhooks", series: { unit: "µs", runs: times.without } },
      goal: { of: "ratio", bound: "most", value: 1.03 },
    },
  ];
}

async function restingRows(context: Context): Promise<readonly Row[]> {
  const count = context.smoke ? 5 : 500;
  const seconds = context.seconds(20);
  await using rest = await startStore({ dataFolder: join(context.folder, "rest"), settings: LOOPBACK });
  await using without = await startStore({ dataFolder: join(context.folder, "none"), settings: LOOPBACK });
  for (let made = 0; made < count; made++) await createWebhook(rest, REFUSED);
  // The same number of requests, since each of them takes memory.
  for (let made = 0; made < count; made++) await createAlbum(without, `album-${made}`);
  await Bun.sleep(context.seconds(10) * 1000);
  const idle = async (store: RunningStore) => {
    const before = await store.cpuSeconds();
    await Bun.sleep(seconds * 1000);
    return ((await store.cpuSeconds()) - before) * 1000;
  };
  const memory = { rest: [] as number[], without: [] as number[] };
  const measure = async (store: RunningStore, sizes: number[]) => {
    const time = await idle(store);
    sizes.push(await store.residentMB());
    return time;
  };
  const figures = await interleave(context.runs, {
    rest: () => measure(rest, memory.rest),
    without: () => measure(without, memory.without),
  });
  return [
    {
      work: `processor time of ${seconds} s at rest, with ${count} webhooks`,
      ours: { unit: "ms", runs: figures.rest },
      against: { name: "without webhooks", series: { unit: "ms", runs: figures.without } },
    },
    {
      work: `memory at rest, with ${count} webhooks`,
      ours: { unit: "MB", runs: memory.rest },
      against: { name: "without webhooks", series: { unit: "MB", runs: memory.without } },
    },
  ];
}

/** @param from a cursor; by default, only events after this are delivered */
async function createWebhook(store: RunningStore, url: string, from = "now"): Promise<{ readonly id: string }> {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ url, from });
  const response = await fetch(`${store.url}/v1/webhooks`, { method: "POST", headers, body });
  if (!response.ok) throw new Error(`POST /v1/webhooks answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as { id: string };
}

function listen(handle: (request: Request) => Promise<Response>): { readonly url: string } & AsyncDisposable {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 0, fetch: handle });
  return { url: server.url.href, [Symbol.asyncDispose]: () => server.stop(true) };
}
