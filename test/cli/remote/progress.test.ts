import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { clockOf, startProgress } from "../../../src/cli/remote/progress.ts";
import { startStore, type TestStore } from "../../http/harness.ts";
import { newPng } from "../../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";

const MAIN = join(import.meta.dir, "../../../src/main.ts");
/** Four rounds of those that run at once. */
const FILES = 64;

/** Runs its arguments on a terminal of 100 columns, and prints what they wrote there. */
const ON_TERMINAL = `
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.execvpe(sys.argv[1], sys.argv[1:], os.environ)
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    sys.stdout.buffer.write(data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

let store: TestStore;
let slow: ReturnType<typeof Bun.serve>;
let home: string;
let photos: string;
beforeAll(async () => {
  store = await startStore();
  slow = Bun.serve({
    port: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      if (/\/content(\/|$)/.test(pathname)) await Bun.sleep(150);
      const body = request.method === "GET" ? null : await request.arrayBuffer();
      return fetch(`${store.url}${pathname}${search}`, { method: request.method, headers: request.headers, body });
    },
  });
});
afterAll(async () => {
  await slow.stop(true);
  await store[Symbol.asyncDispose]();
});
beforeEach(async () => {
  home = await newFolder("progress");
  photos = join(home, "photos");
  await mkdir(photos);
  for (let number = 0; number < FILES; number++) await Bun.write(join(photos, `${number}.png`), newPng(20_000));
});
afterEach(() => removeFolder(home));

const environment = () => ({
  ...process.env,
  HOME: home,
  XDG_CACHE_HOME: home,
  IMAGE_STORE_URL: `http://127.0.0.1:${slow.port}`,
});

async function onTerminal(...argv: readonly string[]): Promise<{ code: number; shown: string }> {
  const child = Bun.spawn(["python3", "-c", ON_TERMINAL, process.execPath, MAIN, ...argv], { env: environment() });
  const shown = await child.stdout.text();
  return { code: await child.exited, shown };
}

/** The lines that were drawn over one another, without the codes that clear them. */
const drawnOf = (shown: string): readonly string[] =>
  shown
    .split(/[\r\n]+/)
    .map((line) => line.replaceAll("\u001b[K", ""))
    .filter((line) => line !== "");

const LINE = /^[█░]{20} (\d+) % {2}(\d+) of 64\+? files {2}[\d.]+ \S+ of 1\.2 MiB\+? {2}[\d.]+ \S+\/s/;

test.each([
  ["sync", (): readonly string[] => ["sync", photos, "Sync"], `${FILES} files sent`],
  ["import", (): readonly string[] => ["import", photos], `${FILES} files sent`],
  ["get", (): readonly string[] => ["get", "Sync", join(home, "copy")], `${FILES} files received`],
])("%s shows bytes, files, rate, percentage and time left on a terminal", async (_, argv, summary) => {
  const { code, shown } = await onTerminal(...argv());
  expect(code).toBe(0);
  const drawn = drawnOf(shown);
  expect(drawn.at(-1)).toStartWith(summary);
  const progress = drawn.filter((line) => LINE.test(line));
  expect(progress.length).toBeGreaterThan(1);
  expect(progress.some((line) => / \d+:\d\d left$/.test(line))).toBe(true);
  const percentages = progress.map((line) => Number(LINE.exec(line)?.[1]));
  expect(percentages.some((percentage) => percentage > 0 && percentage < 100)).toBe(true);
  for (const line of drawn) expect(line.length).toBeLessThan(100);
  // The last of them is cleared.
  expect(shown.slice(0, shown.lastIndexOf(summary))).toEndWith("\r\u001b[K");
});

test("a pipe gets no progress", async () => {
  const child = Bun.spawn([process.execPath, MAIN, "sync", photos, "Pipe"], {
    env: environment(),
    stdout: "pipe",
    stderr: "pipe",
  });
  expect(await child.stderr.text()).toBe("Created the album Pipe\n");
  expect(await child.stdout.text()).toMatch(/^64 files sent \(1\.2 MiB moved\)\n$/);
});

function watched(columns?: number) {
  const lines: string[] = [];
  const progress = startProgress({
    isErrorTerminal: true,
    columns: () => columns,
    err: (text) => void lines.push(text),
  });
  return { progress, lines };
}

test("a total that a scan has not finished has a plus, and no time left", () => {
  const { progress, lines } = watched(200);
  progress.expect({ files: 1234, bytes: 2048 });
  expect(lines.at(-1)).toBe("\r░░░░░░░░░░░░░░░░░░░░ 0 %  0 of 1,234+ files  0 bytes of 2.0 KiB+  0 bytes/s\u001b[K");
});

test("a narrow terminal gets a line that fits", () => {
  const { progress, lines } = watched(45);
  progress.expect({ files: 10, bytes: 1000 });
  expect(lines.at(-1)).toBe("\r░░░░░░░░░░░░░░░░░░░░ 0 %  0 of 10+ files\u001b[K");
});

test("bytes of a file that is sent again do not count twice, and a failed file counts as done", () => {
  const { progress } = watched();
  progress.expect({ files: 1, bytes: 100 });
  {
    using file = progress.begin(100);
    file.moved(80);
    file.moved(-80);
    file.moved(100);
  }
  expect(progress.moved).toBe(100);
});

test.each([
  [0.2, "0:01"],
  [59, "0:59"],
  [61, "1:01"],
  [3723, "1:02:03"],
])("%d seconds are shown as %s", (seconds, text) => {
  expect(clockOf(seconds)).toBe(text);
});
