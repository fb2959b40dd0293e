import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { PATIENCE_MS } from "../waiting.ts";
import { fillDisk } from "./fill-disk.ts";
import { createLedger, type Entry, type Outcome } from "./ledger.ts";
import { awaitSweep } from "./leftovers.ts";
import { startLoad } from "./load.ts";
import { createLoopFileSystem } from "./loop-file-system.ts";
import { randomImage } from "./random-image.ts";
import { createRequests, type Requests } from "./requests.ts";
import { canMakeFaults } from "./requirements.ts";
import { runCommand, startServer } from "./server-process.ts";
import { removeLeftovers, removeTemporaryFolders } from "./temporary-folder.ts";
import { verify } from "./verify.ts";

const DISK_MEBIBYTES = 96;
const MEBIBYTE = 1024 * 1024;

beforeAll(removeLeftovers);
afterAll(removeTemporaryFolders);

describe.skipIf(!canMakeFaults("mkfs.ext4", "mount", "umount"))("a full disk", () => {
  test.each([
    { minFree: 0, name: "to the last byte" },
    { minFree: 16 * MEBIBYTE, name: "down to the minimum" },
  ])("filled by uploads, $name: 507, all or nothing, and deletes make room", async ({ minFree }) => {
    using disk = await createLoopFileSystem(DISK_MEBIBYTES);
    const env = { IMAGE_STORE_GRACE: "1s", IMAGE_STORE_MIN_FREE: String(minFree) };
    const options = { dataFolder: `${disk.folder}/data`, env };
    // Without a minimum no room is left for the catalog, and a delete has to write too: the operator frees a little.
    const spare = `${disk.folder}/spare`;
    writeFileSync(spare, Buffer.alloc(2 * MEBIBYTE, 1));
    const ledger = createLedger();
    await using server = await startServer(options);
    const requests = createRequests(server.url, ledger, { maxImageBytes: 4 * MEBIBYTE });
    const albums = await Promise.all(
      Array.from({ length: 8 }, (_, index) => openAlbum(requests, ledger.open(`full-${index}`))),
    );

    await Promise.all(albums.map((album) => untilRefused(() => requests.upload(album))));
    expect(ledger.counts.failed + ledger.counts.unanswered).toBe(0);
    if (minFree > 0) expect(freeBytes(disk.folder)).toBeGreaterThan(minFree / 2);
    expect(readdirSync(`${options.dataFolder}/blobs/tmp`)).toEqual([]);
    // Before the check, which writes too: it holds the store by a row of the catalog.
    rmSync(spare);
    expect(await verify(server.url, ledger, options)).toEqual([]);

    const [crowded] = albums as [Entry];
    expect(await requests.deleteAlbum(crowded)).toBe("acknowledged");
    await awaitSweep(server.url, `${options.dataFolder}/blobs`);
    await untilAcknowledged(() => requests.upload(albums[1] as Entry));
    expect(await verify(server.url, ledger, options)).toEqual([]);
    for (const album of albums.slice(1)) expect(await requests.deleteAlbum(album)).toBe("acknowledged");
    await awaitSweep(server.url, `${options.dataFolder}/blobs`);
    expect(await server.stop("SIGTERM")).toBe(0);
  });

  test("filled by other files: 507 while the catalog cannot grow, and writes succeed once there is room", async () => {
    using disk = await createLoopFileSystem(DISK_MEBIBYTES);
    const env = { IMAGE_STORE_GRACE: "1s", IMAGE_STORE_MIN_FREE: "0" };
    const options = { dataFolder: `${disk.folder}/data`, env };
    const ledger = createLedger();
    await using server = await startServer(options);
    const requests = createRequests(server.url, ledger, { maxImageBytes: 10_000 });
    const witness = await openAlbum(requests, ledger.open("witness"));
    expect(await requests.upload(witness, "seen.png")).toBe("acknowledged");

    const ballast = `${disk.folder}/ballast`;
    fillDisk(ballast);
    let slots = 0;
    await Promise.all(
      Array.from({ length: 8 }, () => untilRefused(() => requests.createAlbum(ledger.open(`ballast-${slots++}`)))),
    );
    expect(ledger.counts.failed + ledger.counts.unanswered).toBe(0);
    expect(await requests.upload(witness)).toBe("refused");
    expect((await fetch(`${server.url}/v1/albums/witness.0/images/seen.png/content`)).status).toBe(200);

    rmSync(ballast);
    const load = startLoad(server.url, ledger, { clients: 8 });
    await load.acknowledged(100);
    await load.stop();
    expect(ledger.counts.failed + ledger.counts.unanswered).toBe(0);
    expect(await verify(server.url, ledger, options)).toEqual([]);
    await server.stop("SIGKILL");
    await using restarted = await startServer(options);
    expect(await verify(restarted.url, ledger, options)).toEqual([]);
    await awaitSweep(restarted.url, `${options.dataFolder}/blobs`);
  });

  test("during a repair: the repair reports it, leaves no partial file, and continues once there is room", async () => {
    using disk = await createLoopFileSystem(DISK_MEBIBYTES);
    const options = { dataFolder: `${disk.folder}/data`, env: { IMAGE_STORE_MIN_FREE: "0" } };
    {
      await using server = await startServer(options);
      const images = `${server.url}/v1/albums/a/images`;
      await fetch(`${server.url}/v1/albums`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ name: "a" }),
      });
      const body = randomImage(4 * MEBIBYTE).bytes;
      expect((await fetch(`${images}/i.png/content`, { method: "PUT", body })).status).toBe(201);
      await server.stop("SIGTERM");
    }
    const files = `${options.dataFolder}/blobs/files`;
    const [name = ""] = readdirSync(files, { recursive: true, encoding: "utf8" }).filter((path) => path.includes("."));
    writeFileSync(`${files}/${name}`, Buffer.alloc(4 * MEBIBYTE, 1));
    const [ballast, spare] = [`${disk.folder}/ballast`, `${disk.folder}/spare`];
    writeFileSync(spare, Buffer.alloc(2 * MEBIBYTE));
    fillDisk(ballast);
    rmSync(spare);

    const quarantined = () =>
      readdirSync(`${options.dataFolder}/blobs/quarantine`).filter((path) => path !== "lock.sqlite");
    const full = await runCommand(options, "check", "--repair");
    expect(full.exitCode).toBe(1);
    expect(full.output).toContain(`${options.dataFolder}: The disk is nearly full.`);
    expect(quarantined()).toEqual([]);
    rmSync(ballast);
    const { output } = await runCommand(options, "check", "--repair");
    expect(output).toContain("Healed: 0, not healed: 1. Added to quarantine: 1.");
    expect(quarantined()).toHaveLength(2);
  });
});

async function openAlbum(requests: Requests, entry: Entry): Promise<Entry> {
  expect(await requests.createAlbum(entry)).toBe("acknowledged");
  return entry;
}

async function untilRefused(request: () => Promise<Outcome>): Promise<void> {
  let outcome: Outcome;
  do outcome = await request();
  while (outcome === "acknowledged");
  expect(outcome).toBe("refused");
}

/** The store looks at the free space once a second. */
async function untilAcknowledged(request: () => Promise<Outcome>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  let outcome: Outcome;
  do {
    await sleep(100);
    outcome = await request();
  } while (outcome === "refused" && Date.now() < deadline);
  expect(outcome).toBe("acknowledged");
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}
