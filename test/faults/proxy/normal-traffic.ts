import { setTimeout as sleep } from "node:timers/promises";
import { randomImage } from "../random-image.ts";

export interface NormalTraffic {
  /** What was not as it must be: a status, bytes, or no answer. */
  readonly problems: readonly string[];
  /** Requests answered as they must be. */
  readonly answered: number;
  /** Milliseconds that each took. */
  readonly times: readonly number[];
  stop(): Promise<void>;
}

export interface NormalTrafficOptions {
  readonly url: string;
  readonly key: string;
  readonly clients: number;
  /** Between two requests of a client, in milliseconds. */
  readonly pause: number;
  /** What a node that dies may leave a client with, which then asks again. Default: nothing. */
  readonly mayFail?: (status: number | "unanswered") => boolean;
}

type Ask = (method: string, path: string, expected: readonly number[], init?: RequestInit) => Promise<Response>;

/** Clients that upload, read, list and delete without end, each in an album of its own, and one that follows the events. */
export function startNormalTraffic(options: NormalTrafficOptions): NormalTraffic {
  const problems: string[] = [];
  const times: number[] = [];
  const stopping = new AbortController();
  const run = crypto.randomUUID().slice(0, 8);

  const ask: Ask = async (method, path, expected, init = {}) => {
    for (;;) {
      const started = performance.now();
      const answer = await fetch(options.url + path, {
        ...init,
        method,
        // A connection that the proxy has just closed as idle would be a failure of this client alone.
        keepalive: false,
        headers: { ...(init.headers as Record<string, string>), authorization: `Bearer ${options.key}` },
        signal: AbortSignal.timeout(60_000),
      }).catch((error: unknown) => error as Error);
      if (answer instanceof Response && expected.includes(answer.status)) {
        times.push(performance.now() - started);
        return answer;
      }
      const status = answer instanceof Response ? answer.status : "unanswered";
      if (options.mayFail?.(status) === true) {
        await sleep(50);
        continue;
      }
      const told = answer instanceof Response ? await answer.text() : String(answer);
      throw new Error(`${method} ${path}: ${status} ${told.slice(0, 300)}`);
    }
  };

  const clients = Array.from({ length: options.clients }, async (_, index) => {
    for (let turn = 0; !stopping.signal.aborted; turn++) {
      try {
        await useAlbum(ask, `${run}-${index}-${turn}`, () => sleep(options.pause), stopping.signal);
      } catch (error) {
        problems.push((error as Error).message);
      }
    }
  });
  const events = followEvents(options, stopping.signal).catch((error: unknown) => {
    problems.push(`events: ${String(error)}`);
  });
  return {
    problems,
    get answered() {
      return times.length;
    },
    times,
    async stop() {
      stopping.abort();
      await Promise.all([...clients, events]);
    },
  };
}

async function useAlbum(ask: Ask, album: string, pause: () => Promise<void>, stopping: AbortSignal): Promise<void> {
  const path = `/v1/albums/${album}`;
  // What was sent twice, since a node died in between, is there the second time.
  await ask("PUT", path, [200, 201]);
  for (let index = 0; index < 4 && !stopping.aborted; index++) {
    const image = randomImage(index === 0 ? 1_500_000 : 30_000);
    const content = `${path}/images/${index}/content`;
    await ask("PUT", content, [200, 201], { body: image.bytes, headers: { "content-type": "image/png" } });
    await pause();
    const whole = await (await ask("GET", content, [200])).bytes();
    if (new Bun.CryptoHasher("sha256").update(whole).digest("hex") !== image.sha256)
      throw new Error(`GET ${content}: other bytes`);
    const part = await ask("GET", content, [206], { headers: { range: "bytes=8-107" } });
    if (Buffer.compare(await part.bytes(), image.bytes.subarray(8, 108)) !== 0)
      throw new Error(`GET ${content}: another range`);
    await pause();
    await ask("HEAD", content, [200]);
    await (await ask("GET", `${path}/images?pageSize=10`, [200])).json();
  }
  await (await ask("GET", "/v1/events?limit=5", [200])).json();
  await ask("OPTIONS", path, [204]);
  await ask("DELETE", `${path}?recursive=true`, [202, 204, 404]);
}

async function followEvents({ url, key, mayFail }: NormalTrafficOptions, stopping: AbortSignal): Promise<void> {
  while (!stopping.aborted) {
    const stream = await fetch(`${url}/v1/events/stream`, {
      headers: { authorization: `Bearer ${key}` },
      signal: stopping,
    }).catch((error: unknown) => {
      if (!stopping.aborted) throw error;
    });
    if (stream === undefined) return;
    if (stream.status !== 200) throw new Error(`the stream is ${stream.status}`);
    try {
      await stream.body?.pipeTo(new WritableStream(), { signal: stopping });
    } catch (error) {
      if (!stopping.aborted && mayFail?.("unanswered") !== true) throw error;
    }
  }
}
