import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createLedger, type Ledger } from "./ledger.ts";
import { awaitSweep } from "./leftovers.ts";
import { type Load, startLoad } from "./load.ts";
import { createLoopFileSystem, type LoopFileSystem } from "./loop-file-system.ts";
import { createRequests } from "./requests.ts";
import { canMakeFaults, testCycles } from "./requirements.ts";
import { type ServerOptions, type ServerProcess, startServer } from "./server-process.ts";
import { makeTemporaryFolder, removeLeftovers, removeTemporaryFolders } from "./temporary-folder.ts";
import { withoutSyncs } from "./tracer.ts";
import { verify } from "./verify.ts";

const CUTS = testCycles(3);

beforeAll(removeLeftovers);
afterAll(removeTemporaryFolders);

describe.skipIf(!canMakeFaults("mkfs.ext4", "mount", "umount", "strace"))("a power cut", () => {
  test.each([
    { kind: "shared", ways: [cutUnderLoad, killUnderLoad, cutAfterUpload] },
    { kind: "separate", ways: [killUnderLoad, cutAfterUpload] },
  ] as const)(
    `loses nothing acknowledged, ${CUTS} times, with $kind disks for blobs and catalog`,
    async ({ kind, ways }) => {
      using machine = await createMachine(kind);
      const ledger = createLedger();
      for (let cut = 0; cut < CUTS; cut++) {
        {
          await using server = await startServer(machine.options);
          await ways[cut % ways.length]?.(machine, server, ledger);
        }
        await machine.powerUp();
        await using server = await startServer(machine.options);
        expect(await verify(server.url, ledger, machine.options)).toEqual([]);
        await awaitSweep(server.url, machine.blobsFolder);
        await server.stop("SIGTERM");
      }
      console.log(`${CUTS} power cuts, ${kind} disks: ${JSON.stringify(ledger.counts)}, ${ledger.events.size} events`);
    },
  );

  // The proofs that the rig sees what it looks for: each kind of sync that is left out costs what it should have kept.
  // ext4 commits a rename with the next sync of the log, so that only a disk without the log shows what is missing there.
  test.each([
    { what: "nothing is synced", kind: "shared", calls: "fsync,fdatasync", loses: /^acknowledged .* found no album/ },
    { what: "the log is not synced", kind: "shared", calls: "fsync", loses: /^acknowledged .* found no album/ },
    { what: "the bytes are not synced", kind: "shared", calls: "fdatasync", loses: /^bytes of / },
    { what: "their folders are not synced", kind: "separate", calls: "fsync", folders: true, loses: /^bytes of / },
  ] as const)("is detected by this test when $what", async ({ kind, calls, loses, ...only }) => {
    using machine = await createMachine(kind, "folders" in only ? { IMAGE_STORE_SMALL_IMAGE: "0" } : {});
    // Made with all syncs, so that it is acknowledged changes that are lost, and not the store.
    await (await startServer(machine.options)).stop("SIGTERM");
    const shards = join(machine.blobsFolder, "files");
    const paths = "folders" in only ? readdirSync(shards).map((shard) => join(shards, shard)) : [];
    const log = join(makeTemporaryFolder(), "trace");
    const ledger = createLedger();
    {
      await using server = await startServer({ ...machine.options, wrapper: withoutSyncs(log, calls, paths) });
      await cutAfterUpload(machine, server, ledger);
    }
    await machine.powerUp();
    expect(await Bun.file(log).text()).toContain("(INJECTED)");
    await using server = await startServer(machine.options);
    expect(await verify(server.url, ledger, machine.options)).toContainEqual(expect.stringMatching(loses));
    await server.stop("SIGTERM");
  });
});

/** Ends in the middle of many changes and of their syncs. */
async function cutUnderLoad(machine: Machine, server: ServerProcess, ledger: Ledger): Promise<void> {
  const load = await startBusyLoad(server, ledger);
  ledger.beginPowerCut();
  machine.cutPower();
  // The process lives on for a moment, and must not acknowledge what it can no longer keep.
  await sleep(Math.random() * 100);
  await server.stop("SIGKILL");
  await load.stop();
  ledger.endPowerCut();
}

/** The same, but that what the kernel has begun to sync is finished: so it goes at one moment on several disks. */
async function killUnderLoad(machine: Machine, server: ServerProcess, ledger: Ledger): Promise<void> {
  const load = await startBusyLoad(server, ledger);
  await server.stop("SIGKILL");
  machine.cutPower();
  await load.stop();
}

async function startBusyLoad(server: ServerProcess, ledger: Ledger): Promise<Load> {
  const load = startLoad(server.url, ledger, { clients: 16, maxImageBytes: 100_000 });
  await load.acknowledged(100);
  await sleep(Math.random() * 300);
  return load;
}

/** Ends right after an upload was acknowledged, with nobody else whose syncs could have helped it. */
async function cutAfterUpload(machine: Machine, server: ServerProcess, ledger: Ledger): Promise<void> {
  const load = startLoad(server.url, ledger, { clients: 16, maxImageBytes: 100_000 });
  await load.acknowledged(50);
  await load.stop();
  const requests = createRequests(server.url, ledger, { maxImageBytes: 100_000 });
  const album = ledger.open(`last-${ledger.entries.size}`);
  expect(await requests.createAlbum(album)).toBe("acknowledged");
  expect(await requests.upload(album)).toBe("acknowledged");
  machine.cutPower();
  await server.stop("SIGKILL");
}

interface Machine extends Disposable {
  readonly options: ServerOptions;
  readonly blobsFolder: string;
  cutPower(): void;
  /** Once the store's process has ended. */
  powerUp(): Promise<void>;
}

async function createMachine(
  kind: "shared" | "separate",
  env: Readonly<Record<string, string>> = {},
): Promise<Machine> {
  const catalogDisk = await createLoopFileSystem(256);
  const blobsDisk = kind === "shared" ? catalogDisk : await createLoopFileSystem(256);
  // The bytes' disk goes first: the other way round, a record could outlive bytes that nobody was promised.
  const disks: ReadonlySet<LoopFileSystem> = new Set([blobsDisk, catalogDisk]);
  const blobsFolder = join(blobsDisk.folder, "data", "blobs");
  return {
    options: {
      dataFolder: join(catalogDisk.folder, "data"),
      env: {
        IMAGE_STORE_BLOBS_URL: `file://${blobsFolder}`,
        IMAGE_STORE_GRACE: "2s",
        IMAGE_STORE_MIN_FREE: "0",
        // Small, so that segments are full, mostly dead and compacted all the time.
        IMAGE_STORE_SEGMENT_SIZE: "512KiB",
        ...env,
      },
    },
    blobsFolder,
    cutPower() {
      for (const disk of disks) disk.cutPower();
    },
    async powerUp() {
      for (const disk of disks) {
        await disk.unmount();
        await disk.mount();
      }
    },
    [Symbol.dispose]() {
      for (const disk of disks) disk[Symbol.dispose]();
    },
  };
}
