import type { CliContext } from "../../src/cli/context.ts";
import { run } from "../../src/cli/run.ts";

/** A command in this process, and what it printed. */
export async function runCli(argv: readonly string[], data: string, more: Partial<CliContext> = {}) {
  let [out, err] = ["", ""];
  const code = await run({
    argv,
    env: { IMAGE_STORE_DATA: data, IMAGE_STORE_MIN_FREE: "0" },
    isTerminal: false,
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    readFile: () => "",
    onStop: () => () => {},
    ...more,
  });
  return { code, out, err };
}

export const FINE = { code: 0, err: "" };
