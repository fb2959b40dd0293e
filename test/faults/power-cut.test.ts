import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createLedger, type Ledger } from "./ledger.ts";
import { awaitSweep } from "./leftovers.ts";
import { startLoad } from "./load.ts";
import { createLoopFileSystem, type LoopFileSystem } from "./loop-file-system.ts";
import { canMakeFaults, testCycles } from "./requirements.ts";
import { type ServerOptions, startServer } from "./server-process.ts";
import { type SyncCall, withoutSyncs } from "./sync-tracer.ts";
import { removeLeftovers, removeTemporaryFolders } from "./temporary-folder.ts";
import { verify } from "./verify.ts";

const DISK_MEBIBYTES = 256;
const CUTS = testCycles(3);

beforeAll(removeLeftovers);
afterAll(removeTemporaryFolders);

describe.skipIf(!canMakeFaults("mkfs.ext4", "mount", "umount", "strace"))("a power cut under load", () => {
  test(`${CUTS} cuts: nothing acknowledged is lost, nothing is half done`, async () => {
    using disk = await createLoopFileSystem(DISK_MEBIBYTES);
    const options = { dataFolder: `${disk.folder}/data`, env: { IMAGE_STORE_GRACE: "2s", IMAGE_STORE_MIN_FREE: "0" } };
    const ledger = createLedger();
    for (let cut = 0; cut < CUTS; cut++) {
      await loadAndCut(disk, options, ledger);
      await using server = await startServer(options);
      expect(await verify(server.url, ledger, options)).toEqual([]);
      await awaitSweep(server.url, options.dataFolder);
      await server.stop("SIGTERM");
    }
    console.log(`${CUTS} power cuts: ${JSON.stringify(ledger.counts)}, ${ledger.events.size} events`);
  });

  // The proofs that the rig sees what it looks for: each sync that is left out costs what it should have kept.
  const withheld: readonly { calls: readonly SyncCall[]; loses: RegExp }[] = [
    { calls: ["fsync", "fdatasync"], loses: /^acknowledged .* found no album/ },
    { calls: ["fsync"], loses: /^acknowledged .* found no album/ },
    { calls: ["fdatasync"], loses: /^bytes of / },
  ];
  test.each(withheld)("is noticed when $calls does nothing", async ({ calls, loses }) => {
    using disk = await createLoopFileSystem(DISK_MEBIBYTES);
    const options = { dataFolder: `${disk.folder}/data`, env: { IMAGE_STORE_MIN_FREE: "0" } };
    // Made with all syncs, so that it is acknowledged changes that are lost, and not the store.
    await (await startServer(options)).stop("SIGTERM");
    const ledger = createLedger();
    const log = `${disk.folder}/../trace`;
    await loadAndCut(disk, { ...options, wrapper: withoutSyncs(log, ...calls) }, ledger);
    expect(await Bun.file(log).text()).toContain("(INJECTED)");
    await using server = await startServer(options);
    expect(await verify(server.url, ledger, options)).toContainEqual(expect.stringMatching(loses));
    await server.stop("SIGTERM");
  });
});

async function loadAndCut(disk: LoopFileSystem, options: ServerOptions, ledger: Ledger): Promise<void> {
  await using server = await startServer(options);
  const load = startLoad(server.url, ledger, { clients: 16, maxImageBytes: 100_000 });
  await load.acknowledged(100);
  await sleep(Math.random() * 300);
  disk.cutPower();
  // The process lives on for a moment, and must not acknowledge what it can no longer keep.
  await sleep(Math.random() * 100);
  await server.stop("SIGKILL");
  await load.stop();
  await disk.unmount();
  await disk.mount();
}
