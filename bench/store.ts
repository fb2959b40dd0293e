import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Album } from "../src/domain/album.ts";
import type { Image } from "../src/domain/image.ts";
import type { Quota, QuotaLimits } from "../src/domain/quota.ts";
import { cpuSeconds } from "./cpu-time.ts";
import { freePort, type Load, type LoadResult, runLoad } from "./load.ts";
import { onCore } from "./machine.ts";

/** The whole program, as `npm start` runs it, but for the log line that it writes for each request. */
export interface RunningStore extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  readonly url: string;
  /** From the start of the process to the first 200 of /readyz, in milliseconds. */
  readonly startedIn: number;
  residentMB(): Promise<number>;
  /** Processor time of all its threads since the start, in seconds. */
  cpuSeconds(): Promise<number>;
  /** The text of /metrics. */
  metrics(): Promise<string>;
}

export interface StoreOptions {
  readonly dataFolder: string;
  readonly core?: number;
  /** Without the prefix `IMAGE_STORE_`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Variables for libraries in the process, such as an SDK. */
  readonly env?: Readonly<Record<string, string>>;
  /** For Bun itself, such as `--cpu-prof`. */
  readonly runtimeFlags?: readonly string[];
}

const MAIN = join(import.meta.dir, "..", "src", "main.ts");

/** @throws Error when it ends, or is not ready within 30 seconds; what it says goes to a file beside its folder */
export async function startStore({
  dataFolder,
  core,
  settings = {},
  env = {},
  runtimeFlags = [],
}: StoreOptions): Promise<RunningStore> {
  await mkdir(dataFolder, { recursive: true });
  const port = await freePort();
  const startedAt = performance.now();
  const log = Bun.file(`${dataFolder}.log`);
  const store = Bun.spawn(onCore(core, [process.execPath, ...runtimeFlags, MAIN]), {
    env: {
      ...environment({ PORT: String(port), DATA: dataFolder, LOG_LEVEL: "warn", DESCRIBE: "false", ...settings }),
      ...env,
    },
    stdout: log,
    stderr: log,
  });
  const url = `http://127.0.0.1:${port}`;
  while (!(await isReady(url))) {
    if (store.exitCode !== null) throw new Error(`The store ended with ${store.exitCode}:\n${await log.text()}`);
    if (performance.now() - startedAt > 30_000) {
      store.kill("SIGKILL");
      throw new Error(`The store was not ready within 30 seconds:\n${await log.text()}`);
    }
    await Bun.sleep(2);
  }
  return {
    pid: store.pid,
    port,
    url,
    startedIn: performance.now() - startedAt,
    residentMB: async () => {
      const status = await readFile(`/proc/${store.pid}/status`, "utf8");
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
    },
    cpuSeconds: async () => cpuSeconds(store.pid),
    metrics: async () => (await fetch(`${url}/metrics`)).text(),
    async [Symbol.asyncDispose]() {
      store.kill("SIGTERM");
      await store.exited;
    },
  };
}

/** The sum of a metric over all its labels, or those that contain `label` as `name="value"`; 0 where there is none yet. */
export function sumMetric(exposition: string, name: string, label = ""): number {
  const values = exposition
    .split("\n")
    .filter((line) => (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) && line.includes(label))
    .map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)));
  return values.reduce((sum, value) => sum + value, 0);
}

/** Settings in the caller's environment must not affect the measurement. */
function environment(settings: Readonly<Record<string, string>>): Record<string, string | undefined> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("IMAGE_STORE_"));
  const set = Object.entries(settings).map(([name, value]) => [`IMAGE_STORE_${name}`, value] as const);
  return Object.fromEntries([...own, ...set]);
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).status === 200;
  } catch {
    return false;
  }
}

/** @throws Error unless it answers with a 2xx */
async function send<Answer>(
  store: { url: string },
  method: string,
  path: string,
  body: string | Uint8Array<ArrayBuffer>,
): Promise<Answer> {
  const headers = { "content-type": typeof body === "string" ? "application/json" : "image/jpeg" };
  const response = await fetch(`${store.url}${path}`, { method, headers, body });
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Answer;
}

export const createAlbum = (store: { url: string }, name: string) =>
  send<Album>(store, "POST", "/v1/albums", JSON.stringify({ name }));

export const putImage = (store: { url: string }, album: string, name: string, bytes: Uint8Array<ArrayBuffer>) =>
  send<Image>(store, "PUT", `/v1/albums/${album}/images/${name}/content`, bytes);

/** @param path what follows `/v1/quotas/` */
export const setQuota = (store: { url: string }, path: string, limits: QuotaLimits) =>
  send<Quota>(store, "PUT", `/v1/quotas/${path}`, JSON.stringify(limits));

interface CreateOptions extends Pick<Load, "seconds" | "requests"> {
  readonly inFlight: number;
  readonly album?: string;
}

/** Uploads one file repeatedly into an album, `bench` by default, each time under a new name. */
export const createImages = (
  store: { port: number },
  imageFile: string,
  { seconds, inFlight, album = "bench", requests }: CreateOptions,
): Promise<LoadResult> =>
  runLoad({
    port: store.port,
    method: "POST",
    path: `/v1/albums/${album}/images?name=${crypto.randomUUID()}-{n}.jpg`,
    headers: { "content-type": "image/jpeg" },
    imageFile,
    connections: inFlight,
    seconds,
    ...(requests === undefined ? {} : { requests }),
    expect: 201,
  });
