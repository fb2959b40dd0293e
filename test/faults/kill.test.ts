import { afterAll, beforeAll, expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../services/free-ports.ts";
import { createLedger } from "./ledger.ts";
import { awaitSweep, countBlobs } from "./leftovers.ts";
import { startLoad } from "./load.ts";
import { testCycles } from "./requirements.ts";
import { runCommand, startServer } from "./server-process.ts";
import { makeTemporaryFolder, removeLeftovers, removeTemporaryFolders } from "./temporary-folder.ts";
import { verify } from "./verify.ts";

const CYCLES = testCycles(6);
beforeAll(removeLeftovers);
afterAll(removeTemporaryFolders);

test(`${CYCLES} kills under load lose nothing acknowledged and leave nothing partial`, async () => {
  const folder = makeTemporaryFolder();
  const options = {
    dataFolder: folder,
    port: await freePort(),
    env: { IMAGE_STORE_GRACE: "2s", IMAGE_STORE_SEGMENT_SIZE: "512KiB" },
  };
  const ledger = createLedger();
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    await using server = await startServer(options);
    if (cycle % 2 === 0) await ledger.retryInDoubt();
    expect(await verify(server.url, ledger, options)).toEqual([]);
    const load = startLoad(server.url, ledger, { clients: 16 });
    await load.acknowledged(100);
    await sleep(Math.random() * 300);
    await server.stop("SIGKILL");
    await load.stop();
    expect(ledger.counts.unanswered).toBeGreaterThan(cycle);
  }
  expect(ledger.counts.failed).toBe(0);

  await using server = await startServer(options);
  const found = countBlobs(`${folder}/blobs`);
  expect(await verify(server.url, ledger, options)).toEqual([]);
  await awaitSweep(server.url, `${folder}/blobs`);
  expect(await verify(server.url, ledger, options)).toEqual([]);
  expect(await runCommand(options, "check")).toMatchObject({ exitCode: 0 });
  const swept = found - countBlobs(`${folder}/blobs`);
  console.log(`${CYCLES} kills: ${JSON.stringify(ledger.counts)}, ${ledger.events.size} events, ${swept} blobs swept`);
});
