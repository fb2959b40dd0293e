import { opendir, readdir } from "node:fs/promises";
import { join, relative } from "node:path";

let number = 0;

/** Of a file that is being written. The process is in the name, so that leftovers of a killed one are known. */
export function nextTemporaryName(): string {
  number += 1;
  return `.image-store-${process.pid}-${number}.part`;
}

export function processOfTemporary(name: string): number | undefined {
  const pid = /^\.image-store-(\d+)-\d+\.part$/.exec(name)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

/**
 * Names in a folder, in no order, with temporary files; undefined for one that is not UTF-8. They come from `find` while it reads: the runtime lists a
 * folder as a whole, which takes over 100 MB at a million files.
 * @throws Error if the folder cannot be read
 */
export async function* namesIn(folder: string): AsyncGenerator<string | undefined, void> {
  await (await opendir(folder)).close();
  const find = Bun.which("find");
  if (find === null) {
    yield* await readdir(folder);
    return;
  }
  for await (const path of pathsOf(find, folder, "-mindepth", "1", "-maxdepth", "1")) yield path;
}

/**
 * The folder, as `.`, and the folders in it at any depth; undefined for one whose path is not UTF-8. Symbolic links are not
 * followed, so there is no loop.
 */
export async function* foldersIn(folder: string): AsyncGenerator<string | undefined, void> {
  await (await opendir(folder)).close();
  const find = Bun.which("find");
  if (find === null) {
    yield ".";
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
      if (entry.isDirectory()) yield relative(folder, join(entry.parentPath, entry.name));
    return;
  }
  for await (const path of pathsOf(find, folder, "-type", "d")) yield path || ".";
}

/** Of each path but that of the folder itself. */
const START = "./";

/**
 * Relative to the folder. The search begins there, so that its output is short: the runtime takes it into memory as fast as
 * it comes.
 */
async function* pathsOf(find: string, folder: string, ...tests: readonly string[]) {
  const command = [find, ".", ...tests, "-print0"];
  const child = Bun.spawn(command, { cwd: folder, stdout: "pipe", stderr: "pipe", env: {} });
  try {
    for await (const path of splitAtZeros(child.stdout)) yield decode(path.subarray(START.length));
    const said = (await child.stderr.text()).trim();
    if ((await child.exited) !== 0) throw new Error(`The folder ${folder} could not be read to its end: ${said}`);
  } finally {
    child.kill();
  }
}

async function* splitAtZeros(stream: ReadableStream<Uint8Array>): AsyncGenerator<Buffer, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0, start)) {
      yield rest.subarray(start, end);
      start = end + 1;
    }
    rest = rest.subarray(start);
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(path: Buffer): string | undefined {
  try {
    return decoder.decode(path);
  } catch {
    return undefined;
  }
}
