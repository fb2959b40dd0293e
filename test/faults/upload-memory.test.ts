import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { randomImage } from "./random-image.ts";
import { startServer } from "./server-process.ts";
import { makeTemporaryFolder, removeTemporaryFolder } from "./temporary-folder.ts";

const AT_ONCE = 256;
const MEGABYTE = 1_000_000;
/** A store without the limit has 424 MB and more (2026-11-30). With it, busy machines had up to 247 MB. */
const MOST = 350 * MEGABYTE;

const residentBytes = (pid: number): number =>
  1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

/** As fast as the other side takes it, until the answer comes: its status. */
function put(port: number, path: string, body: Uint8Array): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let answer = "";
  let sent = 0;
  const socket = connect(port, "127.0.0.1", () => {
    socket.write(`PUT ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`);
    send();
  });
  function send(): void {
    while (sent < body.length && !socket.destroyed) {
      const piece = body.subarray(sent, sent + 65_536);
      sent += piece.length;
      if (!socket.write(piece)) return void socket.once("drain", send);
    }
  }
  socket.on("data", (data) => {
    answer += data.toString("latin1");
    if (answer.includes("\r\n\r\n")) socket.destroy();
  });
  socket.on("error", () => {});
  socket.on("close", () => resolve(answer.slice("HTTP/1.1 ".length, "HTTP/1.1 201".length)));
  return promise;
}

/** Uploads that many images at once to a new server. @returns the most memory that it had, in bytes */
async function peakOf(size: number): Promise<number> {
  using cleaning = new DisposableStack();
  const folder = cleaning.adopt(makeTemporaryFolder(), removeTemporaryFolder);
  await using server = await startServer({ dataFolder: folder, env: { IMAGE_STORE_DESCRIBE: "false" } });
  const port = Number(new URL(server.url).port);
  const album = await fetch(`${server.url}/v1/albums/load`, { method: "PUT" });
  expect(album.status).toBe(201);
  const { bytes } = randomImage(0, new Uint8Array(size));
  let peak = 0;
  const sampling = setInterval(() => {
    peak = Math.max(peak, residentBytes(server.pid));
  }, 10);
  const uploads = Promise.all(
    Array.from({ length: AT_ONCE }, (_upload, index) => put(port, `/v1/albums/load/images/${index}/content`, bytes)),
  );
  let checks = 0;
  const over = new AbortController();
  const checking = (async () => {
    for (; !over.signal.aborted; checks++) expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  })();
  const statuses = await uploads;
  over.abort();
  await checking;
  clearInterval(sampling);
  const count = (status: string) => statuses.filter((one) => one === status).length;
  expect(count("201") + count("503")).toBe(AT_ONCE);
  expect(count("201")).toBeGreaterThan(20);
  expect(checks).toBeGreaterThan(1);
  console.log(`memory: ${Math.round(peak / MEGABYTE)} MB, ${count("201")} stored`);
  // What was short is there again.
  expect(await put(port, "/v1/albums/load/images/after/content", bytes)).toBe("201");
  return peak;
}

test.each([
  ["50 MB", 50 * MEGABYTE],
  ["1 MB", MEGABYTE],
])("256 concurrent uploads of %s use at most 350 MB, and the server still answers", async (_, size) => {
  expect(await peakOf(size)).toBeLessThan(MOST);
});
