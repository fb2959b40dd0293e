import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import { createClient } from "../../../client/src/index.ts";
import { startStore, type TestStore } from "../../http/harness.ts";
import { newPng } from "../../http/image-fixtures.ts";
import { openDatabaseFile } from "../../open-database-file.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { until } from "../../waiting.ts";
import { createWriter, expectEqualStores } from "./mirrored-stores.ts";
import { cliOf, documentsOf, type Ran } from "./run-remote.ts";

const MAIN = join(import.meta.dir, "../../../src/main.ts");
const KILLS = 10;

let home: string;
beforeEach(async () => {
  home = await newFolder("mirror-faults");
});
afterEach(() => removeFolder(home));

/** A store whose folder and port outlive it. */
async function startRestartable(name: string) {
  const folder = join(home, name);
  let store: TestStore | undefined = await startStore({ DATA: folder });
  const { port, url } = store;
  return {
    url,
    folder,
    get store() {
      return store as TestStore;
    },
    async stop() {
      await store?.[Symbol.asyncDispose]();
      store = undefined;
    },
    async start() {
      store = await startStore({ DATA: folder, PORT: String(port) });
    },
    async [Symbol.asyncDispose]() {
      await store?.[Symbol.asyncDispose]();
    },
  };
}

const env = () => ({ HOME: home, IMAGE_STORE_MIN_FREE: "0" });
const argvOf = (from: string, to: string, more: readonly string[]) => ["mirror", "--from", from, "--to", to, ...more];
const mirror = (from: string, to: string, ...more: readonly string[]) =>
  cliOf(from, home, { env: env() })(...argvOf(from, to, more));

/** A mirror that follows until it is stopped. */
function startMirror(from: string, to: string) {
  const stopping = new AbortController();
  let told = "";
  const more = {
    env: env(),
    onStop: (listener: () => void) => {
      stopping.signal.addEventListener("abort", listener);
      return () => stopping.signal.removeEventListener("abort", listener);
    },
    err: (text: string) => void (told += text),
  };
  const running: Promise<Ran> = cliOf(from, home, more)(...argvOf(from, to, []));
  return {
    told: () => told,
    async stop(): Promise<Ran> {
      stopping.abort();
      return running;
    },
  };
}

async function prune(store: TestStore): Promise<void> {
  await using catalog = await store.openCatalog();
  await catalog.write({ type: "pruneEvents", retention: -60_000, maxBytes: null, limit: 100_000 });
}

const namesIn = async (url: string): Promise<readonly string[]> =>
  (await Array.fromAsync(createClient({ url }).images(undefined, { pageSize: 1000 }))).map(({ name }) => name);

describe("a mirror", () => {
  test("converges through deletes, replaces, renames and moves during the copy, and events that are pruned meanwhile", async () => {
    await using source = await startRestartable("source");
    const writer = createWriter(createClient({ url: source.url }), 3);
    await writer.write(120);
    await using target = await startStore();
    const folder = join(home, "mirror");
    for (let round = 0; round < 3; round++) {
      const copying = Promise.all([mirror(source.url, folder, "--once"), mirror(source.url, target.url, "--once")]);
      for (let step = 0; step < 12; step++) {
        await writer.write(5);
        if (step % 4 === 3) await prune(source.store);
      }
      for (const { code, err } of await copying)
        expect({ code, err: err.replaceAll(GAP, "") }).toEqual({ code: 0, err: "" });
    }
    for (const to of [folder, target.url]) expect(await mirror(source.url, to, "--once")).toMatchObject({ code: 0 });
    await using served = await startStore({ DATA: folder });
    await expectEqualStores(source, served, { isVerbatim: true });
    // The order of creation is what a store with times of its own can't get back after a gap.
    await expectSameRecords(source.url, target.url);
  });

  test("compares all records after a gap in the log, or in a new epoch, and removes what was deleted meanwhile", async () => {
    await using source = await startRestartable("source");
    const client = createClient({ url: source.url });
    const writer = createWriter(client, 5);
    await writer.write(60);
    const folder = join(home, "mirror");
    expect(await mirror(source.url, folder, "--once")).toMatchObject({ code: 0, err: "" });
    await writer.write(40);
    await prune(source.store);
    const overtaken = await mirror(source.url, folder, "--once");
    expect(overtaken).toMatchObject({ code: 0, err: expect.stringContaining(GAP.trim()) });
    await writer.write(20);
    await source.stop();
    expect(await cliOf("", home)("epoch", "--renew", "--data", source.folder)).toMatchObject({ code: 0 });
    await source.start();
    const renewed = await mirror(source.url, folder, "--once");
    expect(renewed).toMatchObject({ code: 0, err: expect.stringContaining(GAP.trim()) });
    await using served = await startStore({ DATA: folder });
    await expectEqualStores(source, served, { isVerbatim: true });
  });

  test("waits for each side while that restarts, and goes on", async () => {
    await using source = await startRestartable("source");
    await using target = await startRestartable("target");
    const client = createClient({ url: source.url });
    const writer = createWriter(client, 11);
    await writer.write(30);
    const following = startMirror(source.url, target.url);
    const arrives = async (name: string) => {
      await client.upload("marks", newPng(), { name });
      await until(async () => (await namesIn(target.url)).includes(name), 20);
    };
    await client.albums.create({ name: "marks" });
    await arrives("first");
    await source.stop();
    await source.start();
    await writer.write(10);
    await client.albums.create({ name: "marks" }).catch(() => undefined);
    await arrives("second");
    await target.stop();
    await writer.write(10);
    await until(() => following.told().includes("Trying again."));
    await target.start();
    await client.albums.create({ name: "marks" }).catch(() => undefined);
    await arrives("third");
    expect(await following.stop()).toMatchObject({ code: 0 });
    await expectEqualStores(source, target, { isVerbatim: false });
  });

  test.each(["folder", "store"] as const)(
    `in a %s that is killed ${KILLS} times goes on and completes`,
    async (kind) => {
      await using source = await startRestartable("source");
      await using target = await startStore();
      const client = createClient({ url: source.url });
      const writer = createWriter(client, 13);
      await client.albums.create({ name: "many" });
      for (let number = 0; number < 300; number++) await client.upload("many", newPng(), { name: `many ${number}` });
      const to = kind === "folder" ? join(home, "mirror") : target.url;
      let received = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        const child = Bun.spawn([process.execPath, MAIN, ...argvOf(source.url, to, ["--json"])], {
          env: { PATH: process.env["PATH"], ...env() },
          stdout: "ignore",
          stderr: "ignore",
        });
        const before = await copied(kind, target, to);
        await writer.write(3);
        await until(async () => child.exitCode !== null || (await copied(kind, target, to)) > before, 2);
        child.kill("SIGKILL");
        expect(await child.exited).toBe(128 + constants.signals.SIGKILL);
        received = await copied(kind, target, to);
      }
      expect(received).toBeGreaterThan(0);
      const completed = await mirror(source.url, to, "--once", "--json");
      expect(completed).toMatchObject({ code: 0, err: "" });
      expect(documentsOf(completed).at(-1)).toMatchObject({ kind: "finished", failed: 0 });
      if (kind === "store") {
        await expectSameRecords(source.url, target.url);
        return;
      }
      await using served = await startStore({ DATA: to });
      await expectEqualStores(source, served, { isVerbatim: true });
    },
  );
});

const GAP = "The log of the source no longer has the next events: comparing all records.\n";

/** How far the mirror is, by its own account. */
async function copied(kind: "folder" | "store", target: TestStore, to: string): Promise<number> {
  if (kind === "store") return changesOf(target);
  const file = Bun.file(join(to, "catalog.sqlite-wal"));
  return (await file.exists()) ? file.size : 0;
}

async function changesOf(store: TestStore): Promise<number> {
  await using catalog = await store.openCatalog();
  return (await catalog.log()).lastSequence;
}

const recordsOf = async (url: string) => {
  const images = await Array.fromAsync(createClient({ url }).images(undefined, { pageSize: 1000 }));
  return images
    .map(({ album, name, sha256, title, tags, metadata }) => ({ album, name, sha256, title, tags, metadata }))
    .toSorted((a, b) => (`${a.album}/${a.name}` < `${b.album}/${b.name}` ? -1 : 1));
};

async function expectSameRecords(from: string, to: string): Promise<void> {
  const expected = await recordsOf(from);
  expect(expected.length).toBeGreaterThan(0);
  expect(await recordsOf(to)).toEqual(expected);
}

test.each(["folder", "store"] as const)(
  "a mirror in a %s whose state is older than its target, as after a kill, converges",
  async (kind) => {
    await using source = await startRestartable("source");
    await using target = await startStore();
    const writer = createWriter(createClient({ url: source.url }), 17);
    const to = kind === "folder" ? join(home, "mirror") : target.url;
    const state = join(home, "state.sqlite");
    const run = () => mirror(source.url, to, "--once", "--state", state);
    await writer.write(80);
    for (let round = 0; round < 3; round++) {
      expect(await run()).toMatchObject({ code: 0, err: "" });
      const earlier = await Bun.file(state).bytes();
      await writer.write(30);
      expect(await run()).toMatchObject({ code: 0, err: "" });
      await writer.write(10);
      for (const suffix of ["-wal", "-shm"]) await rm(state + suffix, { force: true });
      await Bun.write(state, earlier);
      const database = openDatabaseFile(state);
      expect(database.query("delete from meta where name = 'clean'").run().changes).toBe(1);
      database.close();
      expect(await run()).toMatchObject({ code: 0, err: "" });
    }
    await expectSameContent(kind, source.url, target.url, to);
  },
);

async function expectSameContent(kind: "folder" | "store", from: string, store: string, folder: string): Promise<void> {
  if (kind === "store") {
    await expectSameRecords(from, store);
    return;
  }
  await using served = await startStore({ DATA: folder });
  await expectEqualStores({ url: from }, served, { isVerbatim: true });
}
