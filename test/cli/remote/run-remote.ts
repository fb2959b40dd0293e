import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { CliContext } from "../../../src/cli/context.ts";
import { run } from "../../../src/cli/run.ts";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs commands against the store at `url`, with profile and digests in `home`. */
export const cliOf =
  (url: string, home: string, more: Partial<CliContext> = {}) =>
  async (...argv: readonly string[]): Promise<Ran> => {
    let [out, err] = ["", ""];
    const code = await run({
      argv,
      env: { HOME: home, IMAGE_STORE_URL: url },
      isTerminal: false,
      umask: 0o022,
      out: (text) => void (out += text),
      err: (text) => void (err += text),
      readFile: (path) => readFileSync(path, "utf8"),
      onStop: () => () => {},
      ...more,
    });
    return { code, out, err };
  };

/** The documents that `--json` printed. */
export const documentsOf = ({ out }: Ran): readonly Record<string, unknown>[] =>
  out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** Names and bytes of a folder. */
export async function treeOf(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).toSorted();
  const digests = names.map(async (name) => [name, Bun.SHA256.hash(await Bun.file(join(folder, name)).bytes(), "hex")]);
  return Object.fromEntries(await Promise.all(digests)) as Record<string, string>;
}

/** Paths and digests of every file at any depth. */
export async function deepTreeOf(root: string): Promise<Record<string, string>> {
  const entries = (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const files = entries.map((entry) => join(entry.parentPath, entry.name)).toSorted();
  return Object.fromEntries(
    await Promise.all(
      files.map(async (path) => [relative(root, path), Bun.SHA256.hash(await readFile(path), "hex")] as const),
    ),
  );
}
