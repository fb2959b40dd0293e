import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "../../src/cli/run.ts";
import type { Album } from "../../src/domain/album.ts";
import type { Image } from "../../src/domain/image.ts";
import { fillDisk } from "./fill-disk.ts";
import { type AlbumState, createLedger, describeState, type Entry, type Ledger, sameState } from "./ledger.ts";
import { startLoad } from "./load.ts";
import { createLoopFileSystem } from "./loop-file-system.ts";
import { randomImage } from "./random-image.ts";
import { listAll } from "./read-store.ts";
import { createRequests } from "./requests.ts";
import { canMakeFaults, testCycles } from "./requirements.ts";
import { type ServerOptions, startCommand, startServer } from "./server-process.ts";
import { makeTemporaryFolder, removeLeftovers, removeTemporaryFolders } from "./temporary-folder.ts";
import { verify } from "./verify.ts";

const CYCLES = testCycles(3);
/** Of each system call, at which a fault is made. */
const POINTS = testCycles(5);
const MEBIBYTE = 1024 * 1024;

beforeAll(removeLeftovers);
afterAll(removeTemporaryFolders);

/** A command in this process: for what is not to be killed. */
async function runHere(dataFolder: string, ...argv: string[]) {
  let output = "";
  const print = (text: string) => void (output += text);
  const env = { IMAGE_STORE_DATA: dataFolder, IMAGE_STORE_MIN_FREE: "0" };
  const context = { argv, env, isTerminal: false, out: print, err: print, readFile: () => "" };
  const exitCode = await run({ ...context, onStop: () => () => {} });
  return { exitCode, output };
}

/** Restores into a new folder, checks it, and answers how many images there are. */
async function restoredImages(backup: string): Promise<number> {
  const dataFolder = join(makeTemporaryFolder(), "restored");
  expect(await runHere(dataFolder, "restore", backup)).toMatchObject({ exitCode: 0 });
  return checkedImages(dataFolder);
}

async function checkedImages(dataFolder: string): Promise<number> {
  const { exitCode, output } = await runHere(dataFolder, "check");
  expect({ exitCode, output }).toEqual({
    exitCode: 0,
    output: expect.stringContaining("Blobs without a record: 0,") as string,
  });
  return Number(/Images: (\d+)/.exec(output)?.[1]);
}

const OLD_IMAGES = 4;
const NEW_IMAGES = 7;

/** A stopped store of `NEW_IMAGES`, and its backup from when it had `OLD_IMAGES`, some of which are gone since. */
async function makeStoreWithBackup(maxImageBytes: number) {
  const home = makeTemporaryFolder();
  const options: ServerOptions = { dataFolder: join(home, "data"), env: { IMAGE_STORE_GRACE: "1s" } };
  const backup = join(home, "backup");
  await using server = await startServer(options);
  const requests = createRequests(server.url, createLedger(), { maxImageBytes });
  const album = createLedger().open("a");
  await requests.createAlbum(album);
  const upload = async (count: number) => {
    for (let made = 0; made < count; made++) expect(await requests.upload(album)).toBe("acknowledged");
  };
  await upload(OLD_IMAGES);
  expect(await runHere(options.dataFolder, "backup", backup)).toMatchObject({ exitCode: 0 });
  await upload(NEW_IMAGES - OLD_IMAGES + 1);
  const [first = ""] = Object.keys(album.certain?.images ?? {});
  expect(await requests.deleteImage(album, first)).toBe("acknowledged");
  await server.stop("SIGTERM");
  return { home, options, backup };
}

const newest = (folder: string) =>
  JSON.parse(readFileSync(join(folder, "backup.json"), "utf8")) as { backup: { images: number } };

/** Whatever struck a backup: what the folder says it has can be restored, and the next run is as if nothing had happened. */
async function expectBackupSurvived(dataFolder: string, backup: string): Promise<void> {
  const { images } = newest(backup).backup;
  expect([OLD_IMAGES, NEW_IMAGES]).toContain(images);
  expect(await restoredImages(backup)).toBe(images);
  expect(await runHere(dataFolder, "backup", backup)).toMatchObject({ exitCode: 0 });
  expect(await restoredImages(backup)).toBe(NEW_IMAGES);
  expect(readdirSync(backup).toSorted()).toEqual([
    "backup.json",
    "blobs",
    expect.stringMatching(/^catalog-/) as string,
    "last-epoch",
    "lock.sqlite",
  ]);
}

/** Whatever struck a restore: there is no store yet, or a whole one, and the next run makes it whole. */
async function expectRestoreSurvived(backup: string, restored: string): Promise<void> {
  if (!existsSync(join(restored, "catalog.sqlite"))) {
    expect((await runHere(restored, "check")).output).toContain("There is no store");
    if (existsSync(join(restored, "catalog.sqlite.restoring")))
      expect((await runHere(restored, "serve", "--port", "0")).output).toContain("is being restored");
    expect(await runHere(restored, "restore", backup)).toMatchObject({ exitCode: 0 });
  }
  expect(await checkedImages(restored)).toBe(OLD_IMAGES);
  expect(readdirSync(restored).filter((name) => name.includes("restoring"))).toEqual([]);
}

describe("after kill -9", () => {
  test(`during a backup, ${CYCLES} times, the previous backup is intact and the next run completes`, async () => {
    const { home, options, backup } = await makeStoreWithBackup(3_000_000);
    const time = await timeOf(() => startCommand(options, ["backup", join(home, "first")]).ended);
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const folder = join(home, `backup-${cycle}`);
      cpSync(backup, folder, { recursive: true });
      await killWithin(startCommand(options, ["backup", folder]), (time * (cycle + 0.5)) / CYCLES);
      await expectBackupSurvived(options.dataFolder, folder);
    }
  });

  test(`during a restore, ${CYCLES} times, there is no store and the next run creates one`, async () => {
    const { home, backup } = await makeStoreWithBackup(3_000_000);
    const optionsOf = (name: string): ServerOptions => ({
      dataFolder: join(home, name),
      env: { IMAGE_STORE_MIN_FREE: "0" },
    });
    const time = await timeOf(() => startCommand(optionsOf("first"), ["restore", backup]).ended);
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const options = optionsOf(`restored-${cycle}`);
      await killWithin(startCommand(options, ["restore", backup]), (time * (cycle + 0.5)) / CYCLES);
      await expectRestoreSurvived(backup, options.dataFolder);
    }
  });
});

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function killWithin(command: ReturnType<typeof startCommand>, milliseconds: number): Promise<void> {
  await Promise.race([sleep(milliseconds), command.ended]);
  command.kill();
  await command.ended;
}

/** How the commands, and SQLite, change what is on a disk. A full one, below, is for the writes of bytes. */
const CALLS = ["/^fsync", "/^fdatasync", "/^pwrite64", "/^rename", "/^unlink"];
const FAULTS = [
  ["SIGKILL", "signal=SIGKILL"],
  ["EIO", "error=EIO"],
] as const;

describe.skipIf(!canMakeFaults("strace"))("faults at syncs, SQLite writes, renames and unlinks", () => {
  test.each(FAULTS)("of a backup: %s", async (fault, effect) => {
    const { home, options, backup } = await makeStoreWithBackup(10_000);
    const folder = join(home, "struck");
    const strikes = await strikeEach(options, ["backup", folder], effect, {
      prepare: () => cpSync(backup, folder, { recursive: true }),
      survived: () => expectBackupSurvived(options.dataFolder, folder),
      clear: () => rmSync(folder, { recursive: true }),
    });
    console.log(`${fault} in a backup: ${strikes.join(" ")}`);
  });

  test.each(FAULTS)("of a restore: %s", async (fault, effect) => {
    const { home, backup } = await makeStoreWithBackup(10_000);
    const options = { dataFolder: join(home, "struck"), env: { IMAGE_STORE_MIN_FREE: "0" } };
    const strikes = await strikeEach(options, ["restore", join(home, "backup")], effect, {
      prepare: () => {},
      survived: () => expectRestoreSurvived(backup, options.dataFolder),
      clear: () => rmSync(options.dataFolder, { recursive: true }),
    });
    console.log(`${fault} in a restore: ${strikes.join(" ")}`);
  });
});

interface Struck {
  readonly prepare: () => void;
  readonly survived: () => Promise<void>;
  readonly clear: () => void;
}

/** Lets each of the calls fail in its turn, or some of them, spread over the run; answers where. */
async function strikeEach(options: ServerOptions, command: string[], effect: string, on: Struck): Promise<string[]> {
  const struck: string[] = [];
  for (const call of CALLS) {
    on.prepare();
    const dry = await traced(options, command, ["-e", `trace=${call}`]);
    expect(dry.exitCode).toBe(0);
    on.clear();
    for (const nth of spread(mostOfAThread(dry.log), POINTS)) {
      on.prepare();
      const struckRun = await traced(options, command, [
        "-e",
        `trace=${call}`,
        "-e",
        `inject=${call}:${effect}:when=${nth}`,
      ]);
      if (/\(INJECTED\)|killed by SIGKILL/.test(struckRun.log)) {
        // A message, and not the trace of a bug.
        expect(struckRun.output).not.toMatch(/^ +at /m);
        struck.push(`${call.slice(2)}:${nth}`);
        await on.survived();
      }
      on.clear();
    }
  }
  for (const call of CALLS)
    expect([call, struck.some((point) => point.startsWith(call.slice(2)))]).toEqual([call, true]);
  return struck;
}

async function traced(options: ServerOptions, command: string[], tracing: string[]) {
  const log = join(makeTemporaryFolder(), "trace");
  // Not with --seccomp-bpf: then strace 6.1 sends its signal at the first call or not at all.
  const wrapper = ["strace", "-f", "-o", log, ...tracing];
  const result = await startCommand(options, command, wrapper).ended;
  return { ...result, log: readFileSync(log, "utf8") };
}

/** strace counts the calls of each thread. */
function mostOfAThread(log: string): number {
  const calls = log.split("\n").filter((line) => /^\d+ +\w+\(/.test(line));
  return Math.max(
    0,
    ...Map.groupBy(calls, (line) => line.split(" ", 1)[0])
      .values()
      .map((lines) => lines.length),
  );
}

/** 1 to `last`, or the first, the last and what lies between them. */
const spread = (last: number, count: number): number[] => [
  ...new Set(
    Array.from({ length: Math.min(last, count) }, (_, index) =>
      Math.round(1 + (index * (last - 1)) / Math.max(1, count - 1)),
    ),
  ),
];

describe.skipIf(!canMakeFaults("mkfs.ext4", "mount", "umount"))("disk failures", () => {
  test.each([
    { name: "to the last byte", room: 0 },
    { name: "with room for the catalog alone", room: 2_000_000 },
  ])("a backup on a full disk, $name, reports it and keeps the previous backup", async ({ room }) => {
    const { options, backup } = await makeStoreWithBackup(3_000_000);
    using disk = await createLoopFileSystem(48);
    const folder = join(disk.folder, "backup");
    cpSync(backup, folder, { recursive: true });
    const [ballast, spare] = [join(disk.folder, "ballast"), join(disk.folder, "spare")];
    writeFileSync(spare, Buffer.alloc(room));
    fillDisk(ballast);
    rmSync(spare);
    await addLargeImages(options);
    const full = await runHere(options.dataFolder, "backup", folder);
    expect(full).toEqual({ exitCode: 1, output: expect.stringContaining(`${folder}: the disk is full`) as string });
    expect(newest(folder).backup.images).toBe(OLD_IMAGES);
    expect(await restoredImages(folder)).toBe(OLD_IMAGES);
    rmSync(ballast);
    expect(await runHere(options.dataFolder, "backup", folder)).toMatchObject({ exitCode: 0 });
    expect(await restoredImages(folder)).toBe(NEW_IMAGES + LARGE_IMAGES);
  });

  test("a restore on a full disk reports it, creates no store, and continues once there is room", async () => {
    const { options, backup } = await makeStoreWithBackup(3_000_000);
    await addLargeImages(options);
    expect(await runHere(options.dataFolder, "backup", backup)).toMatchObject({ exitCode: 0 });
    using disk = await createLoopFileSystem(48);
    const restored = join(disk.folder, "restored");
    const ballast = join(disk.folder, "ballast");
    writeFileSync(ballast, Buffer.alloc(36 * MEBIBYTE));
    const full = await runHere(restored, "restore", backup);
    expect(full).toEqual({ exitCode: 1, output: expect.stringContaining(`${restored}: The disk is`) as string });
    expect((await runHere(restored, "serve", "--port", "0")).output).toContain("is being restored");
    rmSync(ballast);
    expect(await runHere(restored, "restore", backup)).toMatchObject({ exitCode: 0 });
    expect(await checkedImages(restored)).toBe(NEW_IMAGES + LARGE_IMAGES);
  });

  test("a restore works from a read-only backup, and a backup to one reports it", async () => {
    const { options, backup } = await makeStoreWithBackup(10_000);
    using disk = await createLoopFileSystem(32);
    const folder = join(disk.folder, "backup");
    cpSync(backup, folder, { recursive: true });
    Bun.spawnSync(["mount", "-o", "remount,ro", disk.folder]);
    const { exitCode, output } = await runHere(options.dataFolder, "backup", folder);
    expect(exitCode).toBe(1);
    expect(output).toContain(`${folder}: `);
    expect(await restoredImages(folder)).toBe(OLD_IMAGES);
  });

  test("a power cut right after a backup or a restore loses nothing", async () => {
    const { options, backup } = await makeStoreWithBackup(300_000);
    using disk = await createLoopFileSystem(64);
    const [folder, restored] = [join(disk.folder, "backup"), join(disk.folder, "restored")];
    cpSync(backup, folder, { recursive: true });
    Bun.spawnSync(["sync"]);
    const cutPower = async () => {
      disk.cutPower();
      await disk.unmount();
      await disk.mount();
    };
    expect(await startCommand(options, ["backup", folder]).ended).toMatchObject({ exitCode: 0 });
    await cutPower();
    expect(newest(folder).backup.images).toBe(NEW_IMAGES);
    expect(await restoredImages(folder)).toBe(NEW_IMAGES);

    const target = { dataFolder: restored, env: { IMAGE_STORE_MIN_FREE: "0" } };
    expect(await startCommand(target, ["restore", folder]).ended).toMatchObject({ exitCode: 0 });
    await cutPower();
    expect(await checkedImages(restored)).toBe(NEW_IMAGES);
  });
});

const LARGE_IMAGES = 8;

async function addLargeImages(options: ServerOptions): Promise<void> {
  await using server = await startServer(options);
  const ledger = createLedger();
  const requests = createRequests(server.url, ledger, { maxImageBytes: 0 });
  expect(await requests.createAlbum(ledger.open("large"))).toBe("acknowledged");
  for (let made = 0; made < LARGE_IMAGES; made++) {
    const { bytes } = randomImage(2 * MEBIBYTE);
    const url = `${server.url}/v1/albums/large.0/images?name=${made}`;
    expect((await fetch(url, { method: "POST", body: bytes })).status).toBe(201);
  }
  await server.stop("SIGTERM");
}

test("a backup under load has each album as of one moment and every earlier upload", async () => {
  const home = makeTemporaryFolder();
  const options = { dataFolder: join(home, "data"), env: { IMAGE_STORE_GRACE: "100ms" } };
  const backup = join(home, "backup");
  const ledger = createLedger();
  await using server = await startServer(options);
  const load = startLoad(server.url, ledger, { clients: 16 });
  for (let round = 0; round < 3; round++) {
    await load.acknowledged(300);
    const statesSinceNow = watchStates(ledger);
    const { ended } = startCommand(options, ["backup", backup]);
    const result = await ended;
    expect(result).toMatchObject({ exitCode: 0 });
    const states = statesSinceNow();

    const restored = { ...options, dataFolder: join(home, `restored-${round}`) };
    expect(await runHere(restored.dataFolder, "restore", backup)).toMatchObject({ exitCode: 0 });
    await using again = await startServer(restored);
    const found = await ledgerOf(again.url, states);
    // Bytes, log and `check`; the events that clients read since then are another epoch's.
    expect(await verify(again.url, found, restored)).toEqual([]);
    console.log(`round ${round}: ${result.output.trim()}`);
  }
  await load.stop();
  expect(ledger.problems).toEqual([]);
});

/** What each album was from now on, at one time or another, the requests under way included. */
function watchStates(ledger: Ledger): () => ReadonlyMap<string, readonly AlbumState[]> {
  const states = new Map<string, AlbumState[]>();
  const add = ({ slot }: Entry, state: AlbumState) => states.set(slot, [...(states.get(slot) ?? []), state]);
  for (const entry of ledger.entries.values()) {
    add(entry, entry.certain);
    if (entry.possible !== undefined) add(entry, entry.possible);
  }
  const attempt: Ledger["attempt"] = ledger.attempt.bind(ledger);
  ledger.attempt = (entry, next, send, retryable) => {
    if (!states.has(entry.slot)) add(entry, entry.certain);
    add(entry, next);
    return attempt(entry, next, send, retryable);
  };
  return () => {
    ledger.attempt = attempt;
    return states;
  };
}

/** What the store shows as what was promised, once each album is as it was at one of those times. */
async function ledgerOf(url: string, states: ReadonlyMap<string, readonly AlbumState[]>): Promise<Ledger> {
  const albums = await listAll<Album>(`${url}/v1/albums`);
  const images = await listAll<Image>(`${url}/v1/images`);
  const found = createLedger();
  for (const [slot, possible] of states) {
    const album = albums.find(({ name }) => name.startsWith(`${slot}.`));
    const own = images.filter(({ albumId }) => albumId === album?.id);
    const state = album && {
      name: album.name,
      images: Object.fromEntries(own.map((image) => [image.name, image.sha256])),
    };
    found.open(slot).certain = state ?? null;
    if (!possible.some((each) => sameState(each, state ?? null)))
      found.problems.push(`${slot} was never ${describeState(state ?? null)}`);
  }
  return found;
}
