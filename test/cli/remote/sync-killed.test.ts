import { expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import { processOfTemporary } from "../../../src/cli/remote/folder-entries.ts";
import { startStore, type TestStore } from "../../http/harness.ts";
import { newPng } from "../../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { until } from "../../waiting.ts";
import { cliOf, documentsOf, treeOf } from "./run-remote.ts";

const KILLS = 20;
const FILES = 600;
/** Files that may arrive in a run before it is killed. */
const UNTIL_KILL = 20;

const main = join(import.meta.dir, "../../../src/main.ts");

/** Counts what passes, and between `hold` and `release` lets only {@link UNTIL_KILL} files pass. */
function startCounter(store: TestStore) {
  let running = 0;
  let moved: string[] = [];
  let held: PromiseWithResolvers<void> | undefined;
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const file = /\/images\/([^/]+)\/content/.exec(pathname)?.[1];
      if (file !== undefined && held !== undefined && moved.length >= UNTIL_KILL) {
        await held.promise;
        return new Response(null, { status: 502 });
      }
      if (file !== undefined) moved.push(file);
      running += 1;
      try {
        const body = request.method === "GET" ? null : await request.arrayBuffer();
        return await fetch(`${store.url}${pathname}${search}`, {
          method: request.method,
          headers: request.headers,
          body,
        });
      } finally {
        running -= 1;
      }
    },
    error: () => new Response(null, { status: 502 }),
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    isQuiet: () => running === 0,
    moved: () => moved,
    reset: () => void (moved = []),
    hold: () => void (held = Promise.withResolvers()),
    release() {
      held?.resolve();
      held = undefined;
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

test(`sync killed ${KILLS} times goes on: equal trees, and no file that had arrived is sent again`, async () => {
  await using store = await startStore();
  await using counter = startCounter(store);
  const home = await newFolder("killed");
  try {
    const [photos, copy] = [join(home, "photos"), join(home, "copy")];
    await mkdir(photos);
    for (let number = 0; number < FILES; number++) await Bun.write(join(photos, `${number}.png`), newPng(500));
    const cli = cliOf(counter.url, home);
    const arrived = async () => documentsOf(await cli("ls", "Killed", "--json")).map(({ name }) => String(name));

    async function killSync(from: string, to: string, signal: "SIGKILL" | "SIGINT" = "SIGKILL"): Promise<void> {
      counter.reset();
      counter.hold();
      const child = Bun.spawn([process.execPath, main, "sync", from, to, "--url", counter.url], {
        env: { PATH: process.env["PATH"], HOME: home },
        stdout: "ignore",
        stderr: "ignore",
      });
      await until(() => counter.moved().length >= UNTIL_KILL || child.exitCode !== null);
      expect(child.exitCode).toBeNull();
      child.kill(signal);
      expect(await child.exited).toBe(signal === "SIGINT" ? 1 : 128 + constants.signals.SIGKILL);
      counter.release();
      await until(counter.isQuiet);
    }

    let there: readonly string[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      await killSync(photos, "Killed");
      expect(counter.moved().filter((name) => there.includes(name))).toEqual([]);
      there = await arrived();
    }
    expect(there.length).toBeGreaterThan(0);
    expect(there.length).toBeLessThan(FILES);
    counter.reset();
    expect(await cli("sync", photos, "Killed")).toMatchObject({ code: 0 });
    expect(counter.moved().filter((name) => there.includes(name))).toEqual([]);
    expect(await arrived()).toHaveLength(FILES);

    const whole = await treeOf(photos);
    const unfinished = async () =>
      Object.entries(await treeOf(copy)).filter(([name, digest]) => whole[name] !== digest);
    await killSync("Killed", copy, "SIGINT");
    expect(await unfinished()).toEqual([]);
    for (let kill = 0; kill < 5; kill++) {
      await killSync("Killed", copy);
      expect((await unfinished()).filter(([name]) => processOfTemporary(name) === undefined)).toEqual([]);
    }
    expect(await cli("sync", "Killed", copy)).toMatchObject({ code: 0 });
    expect(await treeOf(copy)).toEqual(whole);
    counter.reset();
    for (const argv of [
      [photos, "Killed"],
      ["Killed", copy],
    ] as const)
      expect((await cli("sync", ...argv)).out).toBe(`${FILES} files unchanged\n`);
    expect(counter.moved()).toEqual([]);
  } finally {
    await removeFolder(home);
  }
});
