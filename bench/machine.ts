import { availableParallelism, cpus, release, totalmem } from "node:os";

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly fileSystem: string;
  readonly versions: Readonly<Record<string, string>>;
}

export const NGINX = Bun.which("nginx") ?? Bun.which("/usr/sbin/nginx") ?? undefined;
export const WRK = Bun.which("wrk") ?? undefined;
const TASKSET = Bun.which("taskset") ?? undefined;

/** Where the server runs, and where its load does, when both can be had. */
export const SERVER_CORE = 0;
export const LOAD_CORE = 1;
export const canPin = TASKSET !== undefined && availableParallelism() > 1;

/** The command pinned to one core, where pinning is possible. */
export const onCore = (core: number | undefined, command: readonly string[]): string[] =>
  core === undefined || !canPin ? [...command] : [TASKSET as string, "-c", String(core), ...command];

export async function describeMachine(folder: string): Promise<Machine> {
  const versions = {
    store: await firstLine(["git", "describe", "--always", "--dirty"]),
    bun: `${Bun.version} (${Bun.revision.slice(0, 9)})`,
    nginx: NGINX === undefined ? "not installed" : (await firstLine([NGINX, "-v"])).replace(/.*\//, ""),
    wrk: WRK === undefined ? "not installed" : (await firstLine([WRK, "-v"])).replace(/^wrk | \[.*/g, ""),
    java:
      Bun.which("java") === null
        ? "not installed"
        : (await firstLine(["java", "-version"])).replaceAll(/.*version |"/g, ""),
  };
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    fileSystem: (await firstLine(["findmnt", "-n", "-o", "FSTYPE", "-T", folder])) || "unknown",
    versions,
  };
}

async function firstLine(command: readonly string[]): Promise<string> {
  try {
    const { stdout, stderr } = await Bun.$`${command}`.quiet().nothrow();
    return (stdout.toString() || stderr.toString()).trim().split("\n")[0] ?? "";
  } catch {
    return "";
  }
}
