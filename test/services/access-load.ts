import { connect, type Socket } from "node:net";
import { until } from "../waiting.ts";

/** Clients that use access on several nodes, and what they got when. All times are of `performance.now()`. */

export type Headers = Readonly<Record<string, string>>;
/** The headers that a client of the node with this URL sends. */
export type HeadersAt = (url: string) => Headers;

export interface Loaders extends AsyncDisposable {
  /** Every status but 200. */
  readonly refusals: ReadonlySet<number>;
  /** When the last request that succeeded was sent, by node. The node let it in no earlier. */
  lastSuccesses(): readonly number[];
  /** Whether each loader was refused with 401. */
  areRefused(): boolean;
}

/** Loaders that each send one request after another, spread over the nodes. Resolves once all have succeeded often. */
export async function startLoaders(
  urls: readonly string[],
  loaders: readonly HeadersAt[],
  path: string,
): Promise<Loaders> {
  const successes = loaders.map(() => 0);
  const last = urls.map(() => -Infinity);
  const refused = new Set<number>();
  const refusals = new Set<number>();
  const stopping = new AbortController();
  const loading = loaders.map(async (headersAt, index) => {
    const node = index % urls.length;
    const url = urls[node] ?? "";
    while (!stopping.signal.aborted) {
      const sentAt = performance.now();
      const response = await fetch(url + path, { headers: headersAt(url) });
      await response.arrayBuffer();
      if (response.status === 200) {
        successes[index] = (successes[index] ?? 0) + 1;
        last[node] = Math.max(last[node] ?? 0, sentAt);
      } else refusals.add(response.status);
      if (response.status === 401) refused.add(index);
    }
  });
  await until(() => successes.every((count) => count >= 10));
  return {
    refusals,
    lastSuccesses: () => [...last],
    areRefused: () => refused.size === loaders.length,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await Promise.all(loading);
    },
  };
}

export interface Probes extends AsyncDisposable {
  sentAt(probe: number): number;
}

/** When each was sent, of all tests on the same store. */
const sent: number[] = [];

/** Makes an album `probe-<n>` every so often, so that each event stream has an event of it. */
export function startProbes(url: string, headers: Headers): Probes {
  const stopping = new AbortController();
  const sending = (async () => {
    while (!stopping.signal.aborted) {
      sent.push(performance.now());
      const init = { method: "PUT", headers: { ...headers, "Content-Type": "application/json" }, body: "{}" };
      const response = await fetch(`${url}/v1/albums/probe-${sent.length}`, init);
      if (response.status !== 201) throw new Error(`A probe was ${response.status}: ${await response.text()}`);
      await Bun.sleep(300);
    }
  })();
  return {
    sentAt: (probe) => sent[probe - 1] ?? NaN,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await sending;
    },
  };
}

export interface StreamClient {
  readonly socket: Socket;
  /** The last that it had an event of; 0 before the first. */
  readonly probe: number;
  readonly endedAt: number | undefined;
}

const OPENED_AT_ONCE = 30;

/** Event streams spread over the nodes. Resolves once all have begun. */
export async function openStreams(
  urls: readonly string[],
  count: number,
  headersAt: HeadersAt,
): Promise<Disposable & { readonly clients: readonly StreamClient[] }> {
  const streams: StreamClient[] = [];
  while (streams.length < count) {
    const length = Math.min(OPENED_AT_ONCE, count - streams.length);
    const opened = Array.from({ length }, (_, index) => {
      const url = urls[(streams.length + index) % urls.length] ?? "";
      return openStream(url, headersAt(url));
    });
    streams.push(...(await Promise.all(opened)));
  }
  return {
    clients: streams,
    [Symbol.dispose]() {
      for (const { socket } of streams) socket.destroy();
    },
  };
}

/** On a socket of its own: the runtime's client has a few hundred at most. */
function openStream(url: string, headers: Headers): Promise<StreamClient> {
  const { promise, resolve, reject } = Promise.withResolvers<StreamClient>();
  const { host, hostname, port } = new URL(url);
  const lines = Object.entries({ Host: host, Connection: "close", ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  const socket = connect(Number(port), hostname, () =>
    socket.write(`GET /v1/events/stream?after=latest HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`),
  );
  const stream = { socket, probe: 0, endedAt: undefined as number | undefined };
  let text = "";
  socket.on("data", (data) => {
    text += data.toString("latin1");
    if (!/^HTTP\/1.1 200|^(?!HTTP)/.test(text)) reject(new Error(text));
    for (const [, probe] of text.matchAll(/probe-(\d+)/g)) stream.probe = Math.max(stream.probe, Number(probe));
    // The name of a probe may come in two parts.
    text = text.slice(-20);
    resolve(stream);
  });
  socket.once("error", reject);
  socket.once("close", () => (stream.endedAt = performance.now()));
  return promise;
}
