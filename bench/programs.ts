import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A program that ran to its end. */
export interface Ran {
  readonly seconds: number;
  /** The most memory that it had resident at once; 0 where the system does not tell. */
  readonly peakMB: number;
}

/** @throws Error unless it ends with 0 */
export async function runProgram(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Ran> {
  const begin = performance.now();
  const child = Bun.spawn([...command], { env, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  let peakMB = 0;
  // What the system tells at the end counts the memory of this process too, of which the child was a copy at first.
  const sampling = setInterval(() => void (peakMB = Math.max(peakMB, highWaterMB(child.pid))), SAMPLE_MS);
  const said = await child.stderr.text();
  const code = await child.exited;
  clearInterval(sampling);
  const seconds = (performance.now() - begin) / 1000;
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}:\n${said.slice(-4000)}`);
  return { seconds, peakMB };
}

const SAMPLE_MS = 20;

function highWaterMB(pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

const MAIN = join(import.meta.dir, "..", "src", "main.ts");

/** A command of `image-store` that talks to the store. Its digests are kept in `home`. */
export const runCli = (store: { readonly url: string }, home: string, ...argv: readonly string[]): Promise<Ran> =>
  runProgram([process.execPath, MAIN, ...argv], {
    PATH: process.env["PATH"],
    HOME: home,
    IMAGE_STORE_URL: store.url,
  });
