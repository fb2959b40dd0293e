import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../services/free-ports.ts";
import { PATIENCE_MS } from "../waiting.ts";

const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;

export interface ServerOptions {
  readonly dataFolder: string;
  /** A free one by default; the same again lets clients send their requests again. */
  readonly port?: number;
  /** Further `IMAGE_STORE_*` variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** A command that runs the program as its child and leaves its process id alone, such as `strace -D …`. */
  readonly wrapper?: readonly string[];
}

/** The real program in a process of its own. */
export interface ServerProcess extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** Code, or signal where one ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** Sends the signal and waits for the end. */
  stop(signal: "SIGKILL" | "SIGTERM"): Promise<number | NodeJS.Signals>;
  /** What it wrote so far, both streams. */
  output(): string;
}

/** Resolves once the store says that it is ready; throws what it wrote when it ends before that. */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const port = options.port ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const child = Bun.spawn([...(options.wrapper ?? []), process.execPath, MAIN], {
    env: serverEnvironment(options, { IMAGE_STORE_PORT: String(port) }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output: string[] = [];
  const drained = Promise.all([collect(child.stdout, output), collect(child.stderr, output)]);
  const exited = child.exited.then((code) => child.signalCode ?? code);
  const server: ServerProcess = {
    url,
    pid: child.pid,
    exited,
    async stop(signal) {
      child.kill(signal);
      return await exited;
    },
    output: () => output.join(""),
    async [Symbol.asyncDispose]() {
      await server.stop("SIGKILL");
    },
  };

  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isReady(url))) {
    if (child.exitCode !== null || child.signalCode !== null) {
      await drained;
      throw new Error(`The store ended with ${await exited} before it was ready:\n${server.output()}`);
    }
    if (Date.now() > deadline) {
      await server.stop("SIGKILL");
      throw new Error(`The store was not ready after ${PATIENCE_MS} ms:\n${server.output()}`);
    }
    await sleep(20);
  }
  return server;
}

/** Runs a subcommand, such as `check`, to its end. */
export async function runCommand(
  options: ServerOptions,
  ...command: readonly string[]
): Promise<{ exitCode: number; output: string }> {
  const { ended } = startCommand(options, command);
  return await ended;
}

export interface CommandProcess {
  /** SIGKILL, if it still runs. */
  kill(): void;
  readonly ended: Promise<{ exitCode: number; output: string }>;
}

/** A subcommand that may be killed; `wrapper` is a command that runs it, such as strace. */
export function startCommand(
  options: Omit<ServerOptions, "wrapper">,
  command: readonly string[],
  wrapper: readonly string[] = [],
): CommandProcess {
  const child = Bun.spawn([...wrapper, process.execPath, MAIN, ...command], {
    env: serverEnvironment(options, {}),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output: string[] = [];
  const ended = Promise.all([child.exited, collect(child.stdout, output), collect(child.stderr, output)]);
  return {
    kill: () => child.kill("SIGKILL"),
    ended: ended.then(([exitCode]) => ({ exitCode, output: output.join("") })),
  };
}

/** Nothing of the tester's own settings, so that a run means the same everywhere. */
function serverEnvironment(options: ServerOptions, more: Record<string, string>): Record<string, string | undefined> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("IMAGE_STORE_"));
  return {
    ...Object.fromEntries(inherited),
    IMAGE_STORE_DATA: options.dataFolder,
    IMAGE_STORE_DESCRIBE: "false",
    IMAGE_STORE_LOG_LEVEL: "warn",
    IMAGE_STORE_LOG_FORMAT: "json",
    ...options.env,
    ...more,
  };
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`, { keepalive: false, signal: AbortSignal.timeout(5_000) })).ok;
  } catch {
    return false;
  }
}

async function collect(stream: ReadableStream<Uint8Array>, into: string[]): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) into.push(decoder.decode(chunk, { stream: true }));
}
