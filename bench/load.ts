import { canPin, LOAD_CORE, onCore, WRK } from "./machine.ts";
import { STAMP_BYTES, STAMP_FROM_END } from "./stamp.ts";

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
   * Requests a second over all connections, due at fixed times: what was sent late counts from when it was due, so
   * a stall counts for every request that it delays. Absent: each connection sends as soon as it has its answer.
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
  readonly p75: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  /** Answers by status, and broken connections, that were not what was expected. */
  readonly errors: Readonly<Record<string, number>>;
}

/** What a benchmark's load shares with what it measures, for the table. */
export const LOAD_PLACE = canPin ? "load generator on another core" : "load generator on the same cores, unpinned";

interface LoadOptions {
  readonly core?: number | undefined;
  readonly tolerateErrors?: boolean;
}

/**
 * Uses wrk where possible, since it needs the least processor time; else our own load generator.
 * @throws Error when an answer was not the expected one
 */
export async function runLoad(load: Load, options: LoadOptions = {}): Promise<LoadResult> {
  const isForWrk = load.rate === undefined && load.requests === undefined && load.seconds >= 1;
  const wrk = isForWrk && options.tolerateErrors !== true ? WRK : undefined;
  const result = await (wrk === undefined ? runLoader(load, options) : runWrk(wrk, load, options));
  if (options.tolerateErrors !== true && Object.keys(result.errors).length > 0)
    throw new Error(`${load.method} ${load.path} answered ${JSON.stringify(result.errors)}.`);
  return result;
}

type GetLoad = Pick<Load, "port" | "path" | "range" | "headers" | "connections" | "seconds">;

/** GET on the load's core. */
export const runGetLoad = (load: GetLoad, expect = 200) =>
  runLoad({ ...load, method: "GET", expect }, canPin ? { core: LOAD_CORE } : {});

/** A process with nothing in it but sockets: `fetch` costs more per request than the servers here do. */
async function runLoader(load: Load, { core }: LoadOptions): Promise<LoadResult> {
  const command = onCore(core, [process.execPath, `${import.meta.dir}/load-client.ts`, JSON.stringify(load)]);
  const client = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
  const output = await new Response(client.stdout).text();
  if ((await client.exited) !== 0) throw new Error(`The load of ${load.method} ${load.path} failed.`);
  return JSON.parse(output) as LoadResult;
}

/** A disk may stall for longer than wrk's default timeout: that is a slow answer, not an error. */
const PATIENCE = "60s";

/** It accepts any status below 400. */
async function runWrk(wrk: string, load: Load, { core }: LoadOptions): Promise<LoadResult> {
  const { port, method, path, range = 1, body = "", imageFile, connections } = load;
  const headers = Object.entries({ host: `127.0.0.1:${port}`, ...load.headers });
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const image = imageFile === undefined ? [] : [imageFile, String(STAMP_BYTES), String(STAMP_FROM_END)];
  const seconds = `-d${Math.round(load.seconds)}s`;
  const flags = ["-t1", `-c${connections}`, seconds, "--timeout", PATIENCE, "-s", `${import.meta.dir}/load.lua`];
  const args = [method, path, String(range), lines, body, ...image];
  const command = onCore(core, [wrk, ...flags, `http://127.0.0.1:${port}`, "--", ...args]);
  const text = await Bun.$`${command}`.quiet().text();
  return JSON.parse(text.slice(text.lastIndexOf("\n{"))) as LoadResult;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  using listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  return listener.port;
}
