import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import type { Client } from "../../client/src/index.ts";
import { compareWithLog } from "../faults/fleet/followers.ts";
import { randomImage } from "../faults/random-image.ts";
import { type ServerProcess, startServer } from "../faults/server-process.ts";
import { makeTemporaryFolder, removeLeftovers, removeTemporaryFolders } from "../faults/temporary-folder.ts";
import { until } from "../waiting.ts";
import { hasChromium, startChromium } from "./chromium.ts";
import { readLog } from "./client-followers.ts";
import { freePort } from "./free-ports.ts";

/*
 * The client as a page of another origin has it, in a real browser.
 */

const MEGABYTE = 1_000_000;
const isRun = hasChromium();

let browser: Browser;
let site: ReturnType<typeof Bun.serve>;
let server: ServerProcess;
let restart: (signal: "SIGKILL" | "SIGTERM") => Promise<void>;
let page: Page;
beforeAll(async () => {
  removeLeftovers();
  if (!isRun) return;
  const built = await Bun.build({
    entrypoints: [join(import.meta.dir, "../../client/src/index.ts")],
    target: "browser",
  });
  const image = randomImage(8 * MEGABYTE);
  site = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/client.js") return new Response(built.outputs[0]);
      if (pathname === "/image.png") return new Response(image.bytes);
      if (pathname === "/small.png") return new Response(randomImage(100).bytes);
      return new Response('<!doctype html><link rel="icon" href="data:,">', {
        headers: { "Content-Type": "text/html" },
      });
    },
  });
  const port = await freePort();
  const dataFolder = makeTemporaryFolder();
  const start = () =>
    startServer({
      dataFolder,
      port,
      env: { IMAGE_STORE_MIN_FREE: "0", IMAGE_STORE_CORS_ORIGINS: site.url.origin },
    });
  server = await start();
  restart = async (signal) => {
    await server.stop(signal);
    server = await start();
  };
  browser = await startChromium();
});
beforeEach(async () => {
  if (!isRun) return;
  page = await (await browser.newContext()).newPage();
  await page.goto(site.url.href);
  await page.evaluate(async (url) => {
    const path = "/client.js";
    const { createClient } = await import(path);
    Object.assign(globalThis, { client: createClient({ url }), impatient: createClient({ url, retries: 0 }) });
  }, server.url);
});
afterAll(async () => {
  if (isRun) {
    await browser.close();
    await site.stop(true);
    await server.stop("SIGKILL");
  }
  removeTemporaryFolders();
});

/** What the functions below find in the page. */
declare const client: Client;
declare const impatient: Client;

const uploadsInFlight = async (): Promise<string | undefined> =>
  /^image_store_uploads_in_flight (\d+)$/m.exec(await (await fetch(`${server.url}/metrics`)).text())?.[1];

async function slowDown(bytesPerSecond: number): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: bytesPerSecond,
  });
}

describe.skipIf(!isRun)("the client in Chromium", () => {
  test("tells how much of an upload has been sent, and gets its record", async () => {
    await page.evaluate(() => client.albums.create({ name: "Progress" }));
    await slowDown(4 * MEGABYTE);
    const requests: string[] = [];
    page.on("request", (request) => requests.push(`${request.method()} ${request.resourceType()}`));
    const { told, totals, size, image } = await page.evaluate(async () => {
      const file = await (await fetch("/image.png")).blob();
      const sent: number[] = [];
      const of = new Set<number | undefined>();
      const stored = await client.upload("Progress", file, {
        name: "large.png",
        onProgress: (progress) => {
          sent.push(progress.sent);
          of.add(progress.total);
        },
      });
      return { told: sent, totals: [...of], size: file.size, image: stored };
    });
    expect(image).toMatchObject({ name: "large.png", size });
    expect(requests).toContain("PUT xhr");
    expect(totals).toEqual([size]);
    expect(told.at(-1)).toBe(size);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    // Not only at the end.
    expect(told.filter((sent) => sent > 0 && sent < size).length).toBeGreaterThan(2);
  });

  test("aborts an upload in the middle with the signal's reason, and the store keeps nothing of it", async () => {
    await page.evaluate(() => client.albums.create({ name: "Aborted" }));
    await slowDown(MEGABYTE);
    const { sent, size, reason } = await page.evaluate(async () => {
      const file = await (await fetch("/image.png")).blob();
      const stopping = new AbortController();
      let last = 0;
      const thrown = await client
        .upload("Aborted", file, {
          name: "large.png",
          signal: stopping.signal,
          onProgress: (progress) => {
            last = progress.sent;
            if (last > file.size / 4) stopping.abort(new Error("changed my mind"));
          },
        })
        .then(
          () => "it was stored",
          (error: unknown) => (error as Error).message,
        );
      return { sent: last, size: file.size, reason: thrown };
    });
    expect(reason).toBe("changed my mind");
    expect(sent).toBeGreaterThan(size / 4);
    expect(sent).toBeLessThan(size);
    await until(async () => (await uploadsInFlight()) === "0");
    const names = await page.evaluate(async () => {
      const found: string[] = [];
      for await (const { name } of client.images("Aborted")) found.push(name);
      return found;
    });
    expect(names).toEqual([]);
  });

  test("an upload that a store refuses, or that loses its connection, rejects as every other call does", async () => {
    const codes = await page.evaluate(async () => {
      const file = new Blob([new Uint8Array(100)]);
      const options = { name: "x.png", onProgress: () => undefined };
      const uploads = ["Progress", "no such album"].map((album) => client.upload(album, file, options));
      const settled = await Promise.allSettled(uploads);
      return settled.map((each) => each.status === "rejected" && (each.reason as { code: string }).code);
    });
    expect(codes).toEqual(["unsupported_image", "album_not_found"]);
    await slowDown(MEGABYTE / 2);
    const lost = page.evaluate(async () => {
      const file = await (await fetch("/image.png")).blob();
      return impatient.upload("Progress", file, { name: "lost.png", onProgress: () => undefined }).then(
        () => "stored",
        (error: unknown) => (error as { code: string }).code,
      );
    });
    await until(async () => (await uploadsInFlight()) === "1");
    await restart("SIGKILL");
    expect(await lost).toBe("unreachable");
  });

  test("an upload that tells its progress is sent again where another would be, and takes no proxy's page for a record", async () => {
    await page.evaluate(() => client.albums.create({ name: "Again" }));
    const answers = [
      { status: 503, contentType: "application/problem+json", body: '{"code":"unavailable"}' },
      { status: 429, contentType: "application/problem+json", body: '{"code":"too_many_requests"}' },
    ];
    let puts = 0;
    await page.route("**/content", (route) => {
      puts += 1;
      const answer = answers.shift();
      if (answer === undefined) return route.continue();
      return route.fulfill({ ...answer, headers: { "Access-Control-Allow-Origin": "*" } });
    });
    const upload = () =>
      page.evaluate(async () => {
        const file = await (await fetch("/small.png")).blob();
        return client.upload("Again", file, { name: "small.png", onProgress: () => undefined }).then(
          (image) => image.name,
          (error: unknown) => `${(error as { code: string }).code}: ${(error as Error).message}`,
        );
      });
    expect(await upload()).toBe("small.png");
    expect(puts).toBe(3);
    answers.push({ status: 200, contentType: "text/html", body: "<h1>Sign in</h1>" });
    expect(await upload()).toBe(
      `unexpected_response: No Image Store answered at ${server.url}/v1/albums/Again/images/small.png/content, ` +
        "but something else: 200 OK text/html.",
    );
  });

  test("follows events through restarts of the store, each once and in order", async () => {
    await page.evaluate(() => {
      const seen: unknown[] = [];
      Object.assign(globalThis, { seen });
      void (async () => {
        for await (const { event } of client.follow()) seen.push(event);
      })();
    });
    const seen = () => page.evaluate(() => (globalThis as unknown as { seen: never[] }).seen);
    let number = 0;
    for (const signal of ["SIGTERM", "SIGKILL", "SIGTERM"] as const) {
      for (let created = 0; created < 10; created++) {
        number += 1;
        expect((await fetch(`${server.url}/v1/albums/followed-${number}`, { method: "PUT" })).status).toBe(201);
      }
      const log = await readLog(server.url);
      await until(async () => (await seen()).length >= log.length, 50);
      await restart(signal);
    }
    await fetch(`${server.url}/v1/albums/followed-last`, { method: "PUT" });
    const log = await readLog(server.url);
    await until(async () => (await seen()).length >= log.length, 50);
    expect(compareWithLog("Chromium", await seen(), log)).toEqual([]);
  });
});
