import { expect, test } from "bun:test";
import { join } from "node:path";
import { type Client, createClient } from "../../../client/src/index.ts";
import { startStore } from "../../http/harness.ts";
import { newPng } from "../../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { until } from "../../waiting.ts";
import { expectEqualStores } from "./mirrored-stores.ts";

const MAIN = join(import.meta.dir, "../../../src/main.ts");
const SECONDS = Number(process.env["IMAGE_STORE_TEST_SECONDS"] ?? 3);
const WRITERS = 4;
/** Images that a writer keeps: it replaces, describes, renames and deletes them. */
const KEPT = 50;

/** Changes an album of its own until it is stopped. Returns the number of changes. */
async function writeUntil(client: Client, album: string, isOver: () => boolean): Promise<number> {
  await client.albums.create({ name: album });
  const names: string[] = [];
  let changes = 1;
  for (let round = 0; !isOver(); round++, changes++) {
    const name = names[round % KEPT];
    const choice = round % 5;
    if (name === undefined || names.length < KEPT) {
      names.push(`${album} ${round}`);
      await client.upload(album, newPng(20_000), { name: `${album} ${round}` });
    } else if (choice === 0) await client.upload(album, newPng(20_000), { name });
    else if (choice < 3) await client.update(album, name, { title: `title ${round}` });
    else if (choice < 4) {
      names[round % KEPT] = `${album} ${round}`;
      await client.update(album, name, { name: `${album} ${round}` });
    } else {
      await client.delete(album, name);
      names.splice(round % KEPT, 1);
    }
  }
  return changes;
}

test(`a mirror follows ${WRITERS} writers for ${SECONDS} s, tells its lag in seconds, and is equal at the end`, async () => {
  const home = await newFolder("mirror-load");
  try {
    await using source = await startStore();
    const client = createClient({ url: source.url });
    const folder = join(home, "mirror");
    const argv = ["mirror", "--from", source.url, "--to", folder, "--json"];
    const child = Bun.spawn([process.execPath, MAIN, ...argv], {
      env: { PATH: process.env["PATH"], HOME: home, IMAGE_STORE_MIN_FREE: "0" },
      stdout: "pipe",
      stderr: "pipe",
    });
    let out = "";
    const reading = (async () => {
      for await (const chunk of child.stdout) out += Buffer.from(chunk).toString();
    })();
    const told = () =>
      out
        .split("\n")
        .slice(0, -1)
        .map(
          (line) => JSON.parse(line) as { readonly kind: string; readonly seconds: number; readonly events: number },
        );
    const lags = () => told().filter(({ kind }) => kind === "lag");
    await until(() => lags().length > 0);
    const end = performance.now() + SECONDS * 1000;
    const isOver = () => performance.now() > end;
    const changes = await Promise.all(
      Array.from({ length: WRITERS }, (_, number) => writeUntil(client, `writer ${number}`, isOver)),
    );
    const total = changes.reduce((sum, count) => sum + count, 0);
    await until(() => (lags().at(-1)?.events ?? 0) >= total, 100);
    child.kill("SIGTERM");
    expect({ code: await child.exited, err: await child.stderr.text() }).toEqual({ code: 0, err: "" });
    await reading;
    const finished = told().at(-1);
    expect(finished).toMatchObject({ kind: "finished", events: total, failed: 0 });
    const sorted = lags()
      .map(({ seconds }) => seconds)
      .toSorted((a, b) => a - b);
    expect(sorted.every((seconds) => seconds >= 0)).toBe(true);
    if (SECONDS > 30) {
      const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)];
      console.info({ seconds: SECONDS, changes: total, lag: { p50: at(0.5), p99: at(0.99), most: at(1) }, finished });
    }
    await using served = await startStore({ DATA: folder });
    await expectEqualStores(source, served, { isVerbatim: true });
  } finally {
    await removeFolder(home);
  }
}, 3_600_000);
