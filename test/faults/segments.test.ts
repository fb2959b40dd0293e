import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PATIENCE_MS } from "../waiting.ts";
import { createLedger } from "./ledger.ts";
import { awaitSweep } from "./leftovers.ts";
import { startLoad } from "./load.ts";
import { randomImage } from "./random-image.ts";
import { createRequests } from "./requests.ts";
import { canMakeFaults, testCycles } from "./requirements.ts";
import { readSegments } from "./segment-reader.ts";
import { runCommand, type ServerOptions, startServer } from "./server-process.ts";
import { makeTemporaryFolder, removeLeftovers, removeTemporaryFolders } from "./temporary-folder.ts";
import type { FaultPoint, Place } from "./tracer.ts";
import { attachTracer, type CallName, injectFault } from "./tracer.ts";
import { verify } from "./verify.ts";

const SEGMENT_BYTES = 256 * 1024;
const FAULTS = ["EIO", "SIGKILL"] as const;
const each = <Case extends object>(cases: readonly Case[]) =>
  cases.flatMap((one) => FAULTS.map((fault) => ({ ...one, fault })));

beforeAll(removeLeftovers);
afterAll(removeTemporaryFolders);

describe.skipIf(!canMakeFaults("strace"))("segment faults", () => {
  test.each(
    each<{ call: CallName; on: Place }>([
      { call: "fsync", on: "bytes" },
      { call: "pwritev", on: "bytes" },
      { call: "fdatasync", on: "bytes" },
    ]),
  )(
    "$fault at $call on the first image of a segment leaves nothing partial, and later uploads succeed",
    async (point) => {
      const options = optionsOf({ IMAGE_STORE_GRACE: "1s" });
      const ledger = createLedger();
      const album = ledger.open("first");
      {
        await using server = await startServer(options);
        const requests = createRequests(server.url, ledger, { maxImageBytes: 20_000 });
        expect(await requests.createAlbum(album)).toBe("acknowledged");
        const tracer = await attachTracer(server.pid, injectFault(point.fault, pointOf(point.call, [])));
        expect(await requests.upload(album)).toBe(point.fault === "EIO" ? "failed" : "unanswered");
        await tracer.injected();
        if (point.fault === "SIGKILL") expect(await server.exited).toBe("SIGKILL");
        await tracer.detach();
        if (point.fault === "EIO") expect(await requests.upload(album)).toBe("acknowledged");
      }
      await expectWhole(options, ledger);
    },
  );

  test.each(each<{ call: CallName }>([{ call: "fallocate" }, { call: "fdatasync" }]))(
    "$fault at $call while deleted bytes are erased does not keep them",
    async ({ call, fault }) => {
      const options = optionsOf({ IMAGE_STORE_GRACE: "1s" });
      const ledger = createLedger();
      const album = ledger.open("swept");
      {
        await using server = await startServer(options);
        const requests = createRequests(server.url, ledger, { maxImageBytes: 20_000 });
        expect(await requests.createAlbum(album)).toBe("acknowledged");
        for (const name of ["a.png", "b.png"]) expect(await requests.upload(album, name)).toBe("acknowledged");
        const tracer = await attachTracer(server.pid, injectFault(fault, pointOf(call, [])));
        expect(await requests.deleteImage(album, "a.png")).toBe("acknowledged");
        await tracer.injected();
        if (fault === "SIGKILL") expect(await server.exited).toBe("SIGKILL");
        await tracer.detach();
        if (fault === "EIO") await awaitSweep(server.url, `${options.dataFolder}/blobs`);
      }
      await expectWhole(options, ledger);
    },
  );

  test.each(
    each<{ call: CallName }>([{ call: "pwritev" }, { call: "fdatasync" }, { call: "fallocate" }, { call: "unlink" }]),
  )("$fault at $call during compaction keeps every image and frees the space", async ({ call, fault }) => {
    const options = optionsOf({ IMAGE_STORE_GRACE: "1s", IMAGE_STORE_SEGMENT_SIZE: "64KiB" });
    const ledger = createLedger();
    // Many at once, so that segments are densely written, and sparse only after the deletion.
    const albums = Array.from({ length: 32 }, (_, index) => ledger.open(`compacted-${index}`));
    {
      await using server = await startServer(options);
      const requests = createRequests(server.url, ledger, { maxImageBytes: 0 });
      for (const album of albums) expect(await requests.createAlbum(album)).toBe("acknowledged");
      for (let turn = 0; turn < 20; turn++)
        await Promise.all(albums.map(async (album) => expect(await requests.upload(album)).toBe("acknowledged")));
      await server.stop("SIGTERM");
    }
    {
      await using server = await startServer(options);
      const requests = createRequests(server.url, ledger, { maxImageBytes: 0 });
      const [kept, deleted] = [albums.slice(0, 4), albums.slice(4)];
      // The one that grows is never compacted.
      const sealed = segmentPaths(options).slice(0, -1);
      expect(sealed.length).toBeGreaterThan(0);
      // The sweep makes a hole for each deleted image, and compaction then for each that it moved.
      const digests = new Set(kept.flatMap((album) => Object.values(album.certain?.images ?? {})));
      const holes = readSegments(join(options.dataFolder, "blobs")).filter(
        ({ path, key }) => sealed.includes(path) && !digests.has(key.slice(0, 64)),
      );
      const point = {
        pwritev: pointOf(call, []),
        fdatasync: pointOf(call, segmentPaths(options).slice(-1)),
        fallocate: pointOf(call, sealed, holes.length + 1),
        unlink: pointOf(call, sealed),
      }[call as "pwritev" | "fdatasync" | "fallocate" | "unlink"];
      const tracer = await attachTracer(server.pid, injectFault(fault, point));
      await Promise.all(deleted.map((album) => requests.deleteAlbum(album)));
      await tracer.injected();
      if (fault === "SIGKILL") expect(await server.exited).toBe("SIGKILL");
      await tracer.detach();
      if (fault === "EIO") expect(await verify(server.url, ledger, options)).toEqual([]);
    }
    await expectWhole(options, ledger);
  });
});

test("deleted bytes are nowhere in the data folder after the grace period", async () => {
  const options = optionsOf({ IMAGE_STORE_GRACE: "1s" });
  await using server = await startServer(options);
  const pattern = "planted-4b1d-pattern-to-be-found-nowhere";
  const url = `${server.url}/v1/albums`;
  await fetch(url, { method: "POST", body: JSON.stringify({ name: "a" }), headers: JSON_TYPE });
  const put = async (name: string, bytes: Uint8Array<ArrayBuffer>) =>
    (await fetch(`${url}/a/images/${name}/content`, { method: "PUT", body: bytes, headers: PNG })).status;
  for (let index = 0; index < 20; index++) {
    const padding = Buffer.alloc(500 + index * 777, pattern);
    expect(await put(`planted-${index}`, randomImage(0, padding).bytes)).toBe(201);
    expect(await put(`kept-${index}`, randomImage(5000).bytes)).toBe(201);
  }
  const found = () => {
    const names = readdirSync(options.dataFolder, { recursive: true, withFileTypes: true });
    const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    // Compaction takes a segment away now and then, also between its listing and its reading.
    return files.filter((path) => existsSync(path) && readFileSync(path).includes(pattern));
  };
  expect(found()).not.toEqual([]);
  for (let index = 0; index < 20; index++) await fetch(`${url}/a/images/planted-${index}`, { method: "DELETE" });
  await awaitSweep(server.url, `${options.dataFolder}/blobs`);
  expect(found()).toEqual([]);
});

test("compaction under load bounds the space, and kill -9 during it loses nothing", async () => {
  const options = optionsOf({ IMAGE_STORE_GRACE: "1s" });
  const ledger = createLedger();
  for (let cycle = 0; cycle < testCycles(3); cycle++) {
    await using server = await startServer(options);
    expect(await verify(server.url, ledger, options)).toEqual([]);
    const load = startLoad(server.url, ledger, { clients: 8, maxImageBytes: 60_000 });
    await load.acknowledged(600);
    await sleep(Math.random() * 300);
    await server.stop("SIGKILL");
    await load.stop();
  }
  await expectWhole(options, ledger);
});

const JSON_TYPE = { "content-type": "application/json" };
const PNG = { "content-type": "image/png" };

const optionsOf = (env: Readonly<Record<string, string>>): ServerOptions & { dataFolder: string } => ({
  dataFolder: makeTemporaryFolder(),
  env: { IMAGE_STORE_SEGMENT_SIZE: String(SEGMENT_BYTES), IMAGE_STORE_MIN_FREE: "0", ...env },
});

const pointOf = (call: CallName, paths: readonly string[], nth = 1): FaultPoint => ({
  place: "bytes",
  call,
  paths,
  nth,
});

function segmentPaths({ dataFolder }: ServerOptions): string[] {
  const folder = join(dataFolder, "blobs", "segments");
  return readdirSync(folder)
    .toSorted()
    .map((name) => join(folder, name));
}

/** The server removes segments while it compacts, after they were listed too. */
const blocksOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.blocks ?? 0;

/** After a restart: what was promised is there, nothing else is, sound on the disk itself, and in no more space than agreed. */
async function expectWhole(options: ServerOptions, ledger: ReturnType<typeof createLedger>): Promise<void> {
  await using server = await startServer(options);
  expect(await verify(server.url, ledger, options)).toEqual([]);
  const blobs = join(options.dataFolder, "blobs");
  await awaitSweep(server.url, blobs);
  const living = () => readSegments(blobs).reduce((sum, { bytes }) => sum + bytes.length, 0);
  const allocated = () => segmentPaths(options).reduce((sum, path) => sum + blocksOf(path) * 512, 0);
  const deadline = Date.now() + PATIENCE_MS;
  while (allocated() > 2 * living() + 2 * SEGMENT_BYTES && Date.now() < deadline) await sleep(100);
  expect(allocated()).toBeLessThanOrEqual(2 * living() + 2 * SEGMENT_BYTES);
  expect(readSegments(blobs).filter(({ sound }) => !sound)).toEqual([]);
  expect(await verify(server.url, ledger, options)).toEqual([]);
  expect(await server.stop("SIGTERM")).toBe(0);
  expect(await runCommand(options, "check")).toMatchObject({ exitCode: 0 });
}
