import { canPin, LOAD_CORE, onCore, WRK } from "./machine.ts";

/** One kind of request, sent again and again by a process of its own. */
export interface Load {
  /** On 127.0.0.1. */
  readonly port: number;
  readonly method: string;
  /** `{n}` becomes a number that this load uses once, `{r}` a random one below `range`; the same in `body`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** An image made by `jpegOf`, sent each time with another stamp: equal bytes would meet in one folder of the store. */
  readonly imageFile?: string;
  readonly range?: number;
  readonly connections: number;
  readonly seconds: number;
  /** Ends before its time after so many requests. */
  readonly requests?: number;
  /**
   * Requests a second over all connections, due at fixed times: what was sent late counts from when it was due, so that
   * a stall is seen by all whom it would have met. Absent: each connection sends as soon as it has its answer.
   */
  readonly rate?: number;
  /** The one status that is no error. */
  readonly expect: number;
}

/** Times in milliseconds. */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Answers by status, and broken connections, that were not what was expected. */
  readonly errors: Readonly<Record<string, number>>;
}

/** What a benchmark's load shares with what it measures, for the table. */
export const LOAD_PLACE = canPin ? "load on the other core" : "load on the same cores, unpinned";

/**
 * A process with nothing in it but sockets: `fetch` costs more per request than the servers here do.
 * @throws Error when an answer was not the expected one
 */
export async function runLoad(
  load: Load,
  options: { core?: number; tolerateErrors?: boolean } = {},
): Promise<LoadResult> {
  const command = onCore(options.core, [process.execPath, `${import.meta.dir}/load-client.ts`, JSON.stringify(load)]);
  const client = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
  const output = await new Response(client.stdout).text();
  if ((await client.exited) !== 0) throw new Error(`The load of ${load.method} ${load.path} failed.`);
  const result = JSON.parse(output) as LoadResult;
  if (options.tolerateErrors !== true && Object.keys(result.errors).length > 0)
    throw new Error(`${load.method} ${load.path} answered ${JSON.stringify(result.errors)}.`);
  return result;
}

/** GET of one path, or of many (`range`), on the load's core by wrk, or by our own loader, which reaches its own limit sooner. */
export async function runGetLoad(
  load: Pick<Load, "port" | "path" | "range" | "connections" | "seconds">,
): Promise<LoadResult> {
  if (WRK === undefined) return runLoad({ ...load, method: "GET", expect: 200 }, canPin ? { core: LOAD_CORE } : {});
  const { port, path, range, connections } = load;
  const [url, args] =
    range === undefined
      ? [`http://127.0.0.1:${port}${path}`, []]
      : [`http://127.0.0.1:${port}`, ["--", path, String(range)]];
  const duration = Math.max(1, Math.round(load.seconds));
  const flags = ["-t1", `-c${connections}`, `-d${duration}s`, "-s", `${import.meta.dir}/report.lua`];
  const text = await Bun.$`${onCore(LOAD_CORE, [WRK, ...flags, url, ...args])}`.quiet().text();
  const result = JSON.parse(text.slice(text.lastIndexOf("\n{"))) as LoadResult;
  if (Object.keys(result.errors).length > 0)
    throw new Error(`GET ${path} at ${url} answered ${JSON.stringify(result.errors)}.`);
  return result;
}

/** A port that nobody has, a moment ago. */
export async function freePort(): Promise<number> {
  using listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  return listener.port;
}
