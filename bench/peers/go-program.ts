import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { CACHE, cachedFolder } from "../../test/services/cached-folder.ts";
import { run } from "../../test/services/run.ts";
import { until } from "../clock.ts";
import { onCore, SERVER_CORE } from "../machine.ts";
import type { Peer } from "./peer.ts";

/** A program of others that is written in Go. */
export interface GoProgram {
  /** Of the executable. */
  readonly name: string;
  /** The path of the package. */
  readonly source: string;
  readonly version: string;
  /** What its module replaces, as `go mod edit -replace` takes it. */
  readonly replaces?: readonly string[];
}

/**
 * The path of the program, which is built once and kept in `.cache`.
 * @param mayBuild whether it may be built now, which takes many minutes
 * @returns why it is missing, where it is
 */
export async function goProgram(
  program: GoProgram,
  mayBuild: boolean,
): Promise<{ readonly path: string } | { readonly missing: string }> {
  const { name, version } = program;
  const folder = join(CACHE, name, version);
  const path = join(folder, name);
  if (existsSync(path)) return { path };
  if (Bun.which("go") === null) return { missing: `${name} needs Go` };
  if (!mayBuild) return { missing: `${name} is not built yet` };
  try {
    await cachedFolder(folder, (empty) => build(program, empty));
    return { path };
  } catch (error) {
    return { missing: `${name} could not be built: ${String(error).split("\n")[0]}` };
  }
}

/**
 * Runs a server of others on the server's core.
 * @param isReady asked until it says so, or a minute is over
 * @throws Error with the end of its log
 */
export async function startServer(
  command: readonly string[],
  { name, port, folder, env = process.env }: ServerOptions,
  isReady: () => Promise<boolean>,
): Promise<Peer> {
  const log = Bun.file(`${folder}.log`);
  const server = Bun.spawn(onCore(SERVER_CORE, command), { cwd: folder, env, stdout: log, stderr: log });
  try {
    await until(isReady, 60);
  } catch (error) {
    server.kill("SIGKILL");
    throw new Error(`${name} did not start:\n${(await log.text()).slice(-2000)}`, { cause: error });
  }
  return {
    pid: server.pid,
    port,
    async [Symbol.asyncDispose]() {
      server.kill("SIGKILL");
      await server.exited;
    },
  };
}

interface ServerOptions {
  readonly name: string;
  readonly port: number;
  /** Its data, and beside it its log. */
  readonly folder: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** From a module of its own: `go install` refuses a program whose module replaces others. */
async function build({ name, source, version, replaces = [] }: GoProgram, folder: string): Promise<void> {
  const cwd = join(folder, "module");
  await mkdir(cwd);
  const go = (...args: string[]) => run(["go", ...args], { cwd });
  await go("mod", "init", "peer");
  for (const replaced of replaces) await go("mod", "edit", "-replace", replaced);
  await go("get", `${source}@${version}`);
  await go("build", "-ldflags=-s -w", "-o", join(folder, name), source);
  await rm(cwd, { recursive: true });
}
