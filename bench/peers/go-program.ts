import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { CACHE, cachedFolder } from "../../test/services/cached-folder.ts";
import { run } from "../../test/services/run.ts";

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
