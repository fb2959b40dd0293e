import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { createLedger } from "./ledger.ts";
import { awaitSweep } from "./leftovers.ts";
import { startLoad } from "./load.ts";
import { createRequests } from "./requests.ts";
import { canMakeFaults } from "./requirements.ts";
import { startServer } from "./server-process.ts";
import { makeTemporaryFolder, removeLeftovers, removeTemporaryFolders } from "./temporary-folder.ts";
import type { FaultPoint } from "./tracer.ts";
import { attachTracer, injectFault } from "./tracer.ts";
import { verify } from "./verify.ts";

beforeAll(removeLeftovers);
afterAll(removeTemporaryFolders);

describe.skipIf(!canMakeFaults("strace"))("faults outside the syncs of a request", () => {
  test("EIO on a log write is 503 and exit code 70, and a restart recovers", async () => {
    const options = { dataFolder: makeTemporaryFolder() };
    const log = [`${options.dataFolder}/catalog.sqlite-wal`];
    const point: FaultPoint = { place: "catalog", call: "pwrite64", paths: log, nth: 1 };
    const ledger = createLedger();
    {
      await using server = await startServer(options);
      const requests = createRequests(server.url, ledger, { maxImageBytes: 0 });
      expect(await requests.createAlbum(ledger.open("before"))).toBe("acknowledged");
      const tracer = await attachTracer(server.pid, injectFault("EIO", point));
      expect(await requests.createAlbum(ledger.open("struck"))).toBe("failed");
      expect(await server.exited).toBe(70);
      expect((await tracer.detach()).some((call) => call.injected)).toBe(true);
    }
    await using server = await startServer(options);
    expect(await verify(server.url, ledger, options)).toEqual([]);
  });

  test("EIO on a checkpoint leaves everything in the write-ahead log", async () => {
    const options = { dataFolder: makeTemporaryFolder() };
    const database = [`${options.dataFolder}/catalog.sqlite`];
    const point: FaultPoint = { place: "catalog", call: "fsync", paths: database, nth: 1 };
    const ledger = createLedger();
    {
      await using server = await startServer(options);
      const tracer = await attachTracer(server.pid, injectFault("EIO", point));
      const load = startLoad(server.url, ledger, { clients: 16 });
      await tracer.injected();
      await load.acknowledged(50);
      await load.stop();
      await tracer.detach();
      await server.stop("SIGKILL");
    }
    await using server = await startServer(options);
    expect(await verify(server.url, ledger, options)).toEqual([]);
  });

  test.each(["EIO", "SIGKILL"] as const)(
    "%s when the sweep syncs a folder does not stop later sweeps",
    async (fault) => {
      const options = {
        dataFolder: makeTemporaryFolder(),
        env: { IMAGE_STORE_GRACE: "1s", IMAGE_STORE_SMALL_IMAGE: "0" },
      };
      const ledger = createLedger();
      const album = ledger.open("swept");
      {
        await using server = await startServer(options);
        const requests = createRequests(server.url, ledger, { maxImageBytes: 10_000 });
        expect(await requests.createAlbum(album)).toBe("acknowledged");
        expect(await requests.upload(album, "swept.png")).toBe("acknowledged");
        const files = `${options.dataFolder}/blobs/files`;
        const shards = readdirSync(files).map((shard) => `${files}/${shard}`);
        const point: FaultPoint = { place: "folder", call: "fsync", paths: shards, nth: 1 };
        const tracer = await attachTracer(server.pid, injectFault(fault, point));
        expect(await requests.deleteImage(album, "swept.png")).toBe("acknowledged");
        await tracer.injected();
        if (fault === "SIGKILL") expect(await server.exited).toBe("SIGKILL");
        await tracer.detach();
        if (fault === "EIO") await awaitSweep(server.url, `${options.dataFolder}/blobs`);
      }
      await using server = await startServer(options);
      await awaitSweep(server.url, `${options.dataFolder}/blobs`);
      expect(await verify(server.url, ledger, options)).toEqual([]);
    },
  );
});
