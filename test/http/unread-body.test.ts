import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { until } from "../waiting.ts";
import { startStore, type TestStore } from "./harness.ts";
import { newAlbum } from "./image-fixtures.ts";
import { openSocket, type RawSocket } from "./raw-socket.ts";

/** More than the store reads of a body that it refuses, and than the kernels hold for it. */
const BODY_BYTES = 50_000_000;
const PIECE = Buffer.alloc(64 * 1024, "x");

let store: TestStore;
let etag: string;
beforeAll(async () => {
  store = await startStore();
  const album = await store.fetch(await newAlbum(store, "kept"));
  etag = album.headers.get("etag") ?? "";
});
afterAll(() => store[Symbol.asyncDispose]());

type Framing = "declared" | "chunked";

/** Sends the request in the order in which nginx does: as long as the socket takes bytes, and then what came. */
async function sendAll(
  { method, path, headers = "" }: { method: string; path: string; headers?: string },
  framing: Framing,
  end: "sent" | "answered",
): Promise<{ answer: string; failure: string | undefined; next: string }> {
  const length = framing === "declared" ? `Content-Length: ${BODY_BYTES}` : "Transfer-Encoding: chunked";
  let received = "";
  let failure: string | undefined;
  const { promise: connected, resolve } = Promise.withResolvers<void>();
  const { promise: closed, resolve: onClose } = Promise.withResolvers<void>();
  const socket = connect(store.port, "127.0.0.1", resolve);
  socket.on("close", () => onClose());
  socket.on("error", (error) => {
    failure ??= String((error as NodeJS.ErrnoException).code);
  });
  await connected;
  const write = async (data: string | Uint8Array) => {
    const { promise: written, resolve: onWritten } = Promise.withResolvers<void>();
    socket.write(data, () => onWritten());
    await Promise.race([written, closed]);
  };
  const listen = () => socket.on("data", (chunk) => (received += chunk.toString("latin1")));
  const waitFor = async (found: RegExp) => {
    for (let turn = 0; turn < 2000 && !found.test(received) && !socket.closed; turn++) await Bun.sleep(5);
  };
  if (end === "answered") listen();
  await write(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}${length}\r\n\r\n`);
  const isOver = () => failure !== undefined || (end === "answered" && received.includes("\r\n\r\n"));
  for (let sent = 0; sent < BODY_BYTES && !isOver(); sent += PIECE.length) {
    const piece = PIECE.subarray(0, Math.min(PIECE.length, BODY_BYTES - sent));
    await write(framing === "declared" ? piece : `${piece.length.toString(16)}\r\n${piece.toString("latin1")}\r\n`);
  }
  // The last chunk follows when the server has waited long enough for the client.
  if (end === "answered") await waitFor(/\r\n\r\n[^]*\}(\r\n(0\r\n\r\n)?)?$/);
  else {
    if (framing === "chunked") await write("0\r\n\r\n");
    listen();
    await waitFor(/\r\n\r\n/);
  }
  const answer = received;
  received = "";
  if (end === "sent") {
    await write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await waitFor(/\r\n\r\n/);
  }
  socket.destroy();
  return { answer, failure, next: received };
}

describe.each<Framing>(["declared", "chunked"])("an unread %s body of 50 MB", (framing) => {
  test.each([
    ["OPTIONS", "/v1/albums", 204],
    ["OPTIONS", "/healthz", 204],
    ["HEAD", "/v1/albums", 200],
    ["HEAD", "/v1/albums/none", 404],
    ["HEAD", "/nowhere", 404],
    ["GET", "/v1/albums/kept", 304],
    ["DELETE", "/v1/albums/gone", 204],
  ])("sent to its end does not hide the answer to %s %s, %i", async (method, path, status) => {
    if (path.endsWith("gone")) await newAlbum(store, "gone");
    const headers = status === 304 ? `If-None-Match: ${etag}\r\n` : "";
    const { answer, failure, next } = await sendAll({ method, path, headers }, framing, "sent");
    expect({ failure, status: answer.slice(0, 12) }).toEqual({ failure: undefined, status: `HTTP/1.1 ${status}` });
    expect(next).toStartWith("HTTP/1.1 200");
  });

  test.each([
    ["OPTIONS", "/nowhere", 404],
    ["DELETE", "/v1/albums/none", 404],
    ["PURGE", "/v1/albums", 405],
    ["TRACE", "/healthz", 405],
    ["POST", "/v1/albums", 415],
    ["PATCH", "/v1/albums/none", 415],
    ["PUT", "/v1/albums/none/images/a/content", 404],
    ["POST", "/v1/albums/none/images", 400],
  ])("whose client stops at the answer gets all of the answer to %s %s, %i", async (method, path, status) => {
    const { answer, failure } = await sendAll({ method, path }, framing, "answered");
    // A busy client may still write when the server has waited long enough for it; the answer below is whole all the same.
    expect([undefined, "EPIPE"]).toContain(failure);
    expect(answer.slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
    // Chunked or not.
    expect(JSON.parse(/\r\n(\{.*\})/.exec(answer)?.[1] ?? "")).toMatchObject({ status });
  });
});

describe("a client that pauses during a refused body", () => {
  const HEAD = `DELETE /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`;
  const PAUSE_MS = 300;
  /** Below what the server waits for. */
  const LONGEST_PAUSE_MS = 800;

  /** @returns the longest pause, which a busy machine makes longer, and whether the server kept the connection meanwhile */
  async function sendSlowly(socket: RawSocket): Promise<{ longest: number; isOpen: boolean }> {
    let longest = 0;
    for (let sent = 0; sent < 5; sent++) {
      const started = performance.now();
      await socket.send(PIECE);
      await Bun.sleep(PAUSE_MS);
      longest = Math.max(longest, performance.now() - started);
    }
    return { longest, isOpen: !socket.closed };
  }

  test("gets the whole answer, and its connection stays open until it stops", async () => {
    await until(async () => {
      using socket = await openSocket(store.port);
      await socket.send(HEAD);
      await socket.send(PIECE);
      expect(await socket.waitFor((text) => text.includes("\r\n\r\n"))).toStartWith("HTTP/1.1 405");
      const { longest, isOpen } = await sendSlowly(socket);
      expect(await socket.waitForClose()).toMatch(/method_not_allowed[^]*\r\n0\r\n\r\n$/);
      // Whether the server closes a connection behind a longer pause says nothing.
      if (longest < LONGEST_PAUSE_MS) expect(isOpen).toBe(true);
      return isOpen;
    });
  });
});
