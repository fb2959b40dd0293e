import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { setImmediate } from "node:timers/promises";
import type { Image } from "../../src/domain/image.ts";
import { startServer } from "../faults/server-process.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { until } from "../waiting.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import {
  codeOf,
  formOf,
  imageNames,
  imagePath,
  newAlbum,
  newPng,
  postForm,
  postImage,
  putContent,
  storedBlobs,
} from "./image-fixtures.ts";
import { BLOBS } from "./places.ts";
import { openSocket, type RawSocket } from "./raw-socket.ts";

const MAX_UPLOAD = 100_000;
const MAX_MULTIPART = 250_000;
const PATIENCE = 200;
const RATE = 10_000;
const SETTINGS = {
  MAX_UPLOAD: String(MAX_UPLOAD),
  MAX_MULTIPART: String(MAX_MULTIPART),
  MAX_FILES: "3",
  MAX_UPLOADS: "4",
  // A file each, so that what is on its way can be seen.
  SMALL_IMAGE: "0",
};

/** It waits for a client as long as a busy machine may need. */
let store: TestStore;
/** It gives a slow client up soon. */
let strict: TestStore;
let album: string;
beforeAll(async () => {
  store = await startStore({ ...SETTINGS, MIN_UPLOAD_RATE: "1" }, { uploadPatience: 1_000_000 });
  strict = await startStore({ ...SETTINGS, MIN_UPLOAD_RATE: String(RATE) }, { uploadPatience: PATIENCE });
  album = await newAlbum(store, "limits");
  expect(await newAlbum(strict, "limits")).toBe(album);
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await strict[Symbol.asyncDispose]();
});

let made = 0;
const newName = (): string => `image ${++made}`;
const putHead = (name: string, ...headers: readonly string[]) =>
  [`PUT ${imagePath(album, name)}/content HTTP/1.1`, "Host: localhost", ...headers, "", ""].join("\r\n");
const chunkOf = (bytes: Uint8Array) =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
const isAnswered = (text: string) =>
  /^HTTP\/1\.1 [2-5]\d\d[^]*\r\n\r\n[^]*\}$/m.test(text.replace(/^HTTP\/1.1 100[^]*?\r\n\r\n/, ""));

/** The names and files are as they were, once everything has come to rest. */
async function expectNothingStored(attempt: () => Promise<void>, at = store): Promise<void> {
  const [files, names] = [await storedBlobs(at), await imageNames(at, album)];
  await attempt();
  await until(async () => (await storedBlobs(at)).length <= files.length);
  expect(await storedBlobs(at)).toEqual(files);
  expect(await imageNames(at, album)).toEqual(names);
}

const formOfSizes = (sizes: readonly number[]) =>
  formOf(Object.fromEntries(sizes.map((size) => [newName(), newPng(size)] as const)));

describe("the body limit", () => {
  test("is inclusive: one byte more is refused", async () => {
    const fits = newPng(MAX_UPLOAD - 400);
    const padded = Buffer.concat([fits, Buffer.alloc(MAX_UPLOAD - fits.length)]);
    expect((await putContent(store, album, newName(), padded)).status).toBe(201);
    await expectNothingStored(async () => {
      for (const send of [putContent, postImage]) {
        const response = await send(store, album, newName(), Buffer.concat([padded, Buffer.alloc(1)]));
        expect(response.status).toBe(413);
        expect(await jsonOf<object>(response)).toMatchObject({ code: "too_large", limit: MAX_UPLOAD });
      }
    });
  });

  test("applies to chunked bodies as they are read", async () => {
    await expectNothingStored(async () => {
      using socket = await openSocket(store.port);
      await socket.send(putHead(newName(), "Transfer-Encoding: chunked"));
      for (let sent = 0; sent <= MAX_UPLOAD; sent += 30_000) await socket.send(chunkOf(newPng(30_000)));
      await socket.send("0\r\n\r\n");
      const answer = await socket.waitFor(isAnswered);
      expect(answer).toStartWith("HTTP/1.1 413");
      expect(answer).toContain("too_large");
      // It was sent to its end, so the connection is as good as before.
      expect(socket.closed).toBe(false);
      await socket.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
      expect(await socket.waitFor((text) => text.includes("200 OK"))).toContain("200 OK");
    });
  });

  test.each(["declared", "chunked"])(
    "exceeded by far (%s) is 413 after at most 1 MiB more, with Connection: close",
    async (form) => {
      await expectNothingStored(async () => {
        using socket = await openSocket(store.port);
        const length = 1 << 30;
        await socket.send(
          putHead(newName(), form === "declared" ? `Content-Length: ${length}` : "Transfer-Encoding: chunked"),
        );
        const bytes = Buffer.alloc(64 * 1024);
        let sent = 0;
        while (!socket.closed && !isAnswered(socket.received) && sent < length) {
          await socket.send(form === "declared" ? bytes : chunkOf(bytes));
          sent += bytes.length;
          // As any client does between two writes, it looks for what came.
          await setImmediate();
        }
        const answer = await socket.waitForClose();
        expect(answer).toStartWith("HTTP/1.1 413");
        expect(answer).toMatch(/^connection: close/im);
        // What the two kernels hold for each other comes on top.
        expect(sent).toBeLessThan(16 * 1024 * 1024);
      });
    },
  );

  test("is checked before 100 Continue is sent", async () => {
    using socket = await openSocket(store.port);
    await socket.send(putHead(newName(), `Content-Length: ${MAX_UPLOAD + 1}`, "Expect: 100-continue"));
    const answer = await socket.waitForClose();
    expect(answer).toContain("HTTP/1.1 413");
    expect(answer).toMatch(/^connection: close/im);
  });

  test("of a form applies to each file, to all files and to their number", async () => {
    const cases: readonly (readonly [number[], number])[] = [
      [[90_000, 90_000], 201],
      [[1000, MAX_UPLOAD + 1], 413],
      [[90_000, 90_000, 90_000], 413],
      [[1000, 1000, 1000], 201],
      [[1000, 1000, 1000, 1000], 413],
    ];
    for (const [sizes, status] of cases) {
      const before = (await storedBlobs(store)).length;
      const response = await postForm(store, album, formOfSizes(sizes));
      expect({ sizes, status: response.status }).toEqual({ sizes, status });
      const stored = status === 201 ? sizes.length : 0;
      expect((await storedBlobs(store)).length).toBe(before + stored);
    }
  });
});

describe("an early refusal", () => {
  test("keeps the connection when the body is sent to its end", async () => {
    using socket = await openSocket(store.port);
    const png = newPng(50_000);
    await socket.send(
      `PUT /v1/albums/none/images/a/content HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${png.length}\r\n\r\n`,
    );
    await socket.send(png);
    expect(await socket.waitFor(isAnswered)).toStartWith("HTTP/1.1 404");
    await socket.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(await socket.waitFor((text) => text.includes("200 OK"))).toContain("200 OK");
  });

  test("closes the connection when the body is not sent", async () => {
    using socket = await openSocket(store.port);
    await socket.send(
      "PUT /v1/albums/none/images/a/content HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
    );
    const answer = await socket.waitForClose();
    expect(answer).toStartWith("HTTP/1.1 404");
    expect(answer).toMatch(/^connection: close/im);
  });
});

/** So many uploads at least: here they have a file each, elsewhere the small ones are in memory. */
async function areUnderWay(count: number, filesBefore: number, at = store): Promise<boolean> {
  if (BLOBS === "files") return (await storedBlobs(at)).length >= filesBefore + count;
  const metrics = await (await at.fetch("/metrics")).text();
  return Number(/^image_store_uploads_in_flight (\d+)$/m.exec(metrics)?.[1]) >= count;
}

const cutOff = async (head: string, bytes: Uint8Array) => {
  await expectNothingStored(async () => {
    const before = (await storedBlobs(store)).length;
    const socket = await openSocket(store.port);
    await socket.send(head);
    await socket.send(bytes);
    await until(() => areUnderWay(1, before));
    socket[Symbol.dispose]();
  });
};

/** Resolves when the other side has closed, too. */
async function sendAndHalfClose(data: string): Promise<void> {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const socket = connect(store.port, "127.0.0.1");
  socket.on("data", () => {});
  socket.on("error", () => {});
  socket.on("close", () => resolve());
  socket.end(data);
  await closed;
}

const trickle = async (socket: RawSocket, bytes: Uint8Array, piece: number, pause: number) => {
  for (let at = 0; at < bytes.length && !socket.closed && !isAnswered(socket.received); at += piece) {
    await socket.send(bytes.subarray(at, at + piece));
    await Bun.sleep(pause);
  }
};

describe("an uploading client", () => {
  test("that expects 100 Continue gets it", async () => {
    const png = newPng();
    using socket = await openSocket(store.port);
    await socket.send(putHead(newName(), `Content-Length: ${png.length}`, "Expect: 100-continue"));
    expect(await socket.waitFor((text) => text.includes("\r\n\r\n"))).toStartWith("HTTP/1.1 100");
    await socket.send(png);
    expect(await socket.waitFor(isAnswered)).toContain("HTTP/1.1 201");
  });

  test("that disconnects in the body stores nothing", async () => {
    const part = newPng(30_000);
    await cutOff(putHead(newName(), "Content-Length: 60000"), part);
    await cutOff(putHead(newName(), "Transfer-Encoding: chunked"), chunkOf(part));
    const first = [`--X\r\nContent-Disposition: form-data; name="file"; filename="${newName()}"\r\n\r\n`, part, "\r\n"];
    const second = [`--X\r\nContent-Disposition: form-data; name="file"; filename="${newName()}"\r\n\r\n`, part];
    const form = Buffer.concat([...first, ...second].map((piece) => Buffer.from(piece)));
    const head = `POST ${album}/images HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=X\r\n`;
    await cutOff(`${head}Content-Length: 100000\r\n\r\n`, form);
  });

  test("that half-closes in the body stores nothing", async () => {
    await expectNothingStored(() => sendAndHalfClose(`${putHead(newName(), "Content-Length: 60000")}abc`));
  });

  test("that half-closes after a complete request may get no answer, and the request is performed", async () => {
    await sendAndHalfClose("PUT /v1/albums/half-closed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    await until(async () => (await store.fetch("/v1/albums/half-closed")).ok);
  });

  test("that is too slow gets 408, and its connection is closed", async () => {
    await expectNothingStored(async () => {
      using socket = await openSocket(strict.port);
      await socket.send(putHead(newName(), "Content-Length: 90000"));
      await trickle(socket, newPng(90_000), 100, 50);
      const answer = await socket.waitForClose();
      expect(answer).toStartWith("HTTP/1.1 408");
      expect(answer).toContain("request_timeout");
      expect(answer).toMatch(/^connection: close/im);
    }, strict);
  });

  test("that stalls after a fast start gets 408", async () => {
    await expectNothingStored(async () => {
      using socket = await openSocket(strict.port);
      await socket.send(putHead(newName(), "Content-Length: 90000"));
      await socket.send(newPng(60_000));
      expect(await socket.waitForClose()).toStartWith("HTTP/1.1 408");
    }, strict);
  });

  test("that is above the minimum rate is not interrupted", async () => {
    // A piece is enough for ten times the patience, so that a process that a busy machine stalls keeps above the rate too.
    const patience = 2000;
    await using patient = await startStore({ ...SETTINGS, MIN_UPLOAD_RATE: "400" }, { uploadPatience: patience });
    expect(await newAlbum(patient, "limits")).toBe(album);
    const png = newPng(90_000);
    using socket = await openSocket(patient.port);
    await socket.send(putHead(newName(), `Content-Length: ${png.length}`));
    const started = performance.now();
    await trickle(socket, png, 8000, 400);
    expect(await socket.waitFor(isAnswered)).toStartWith("HTTP/1.1 201");
    expect(performance.now() - started).toBeGreaterThan(2 * patience);
  });

  test("over the limit of concurrent uploads gets 503 with Retry-After until an upload ends", async () => {
    const before = (await storedBlobs(store)).length;
    const sockets = await Promise.all(Array.from({ length: 4 }, () => openSocket(store.port)));
    for (const socket of sockets) await socket.send(`${putHead(newName(), "Content-Length: 90000")}abc`);
    await until(() => areUnderWay(4, before));
    const response = await putContent(store, album, newName(), newPng());
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toMatch(/^\d+$/);
    expect(await codeOf(response)).toBe("busy");
    for (const socket of sockets) socket[Symbol.dispose]();
    const name = newName();
    await until(async () => (await putContent(store, album, name, newPng())).ok);
  });
});

describe("a refused upload with Expect: 100-continue", () => {
  test.each(["100-continue", "100-Continue"])("(%s) is answered before its body is sent", async (expectation) => {
    const targets = [
      ["404", "/v1/albums/none/images/a/content", 1000],
      ["413", `${imagePath(album, newName())}/content`, MAX_UPLOAD + 1],
    ] as const;
    for (const [status, path, size] of targets) {
      using socket = await openSocket(store.port);
      const fields = ["Host: localhost", `Content-Length: ${size}`, `Expect: ${expectation}`];
      await socket.send([`PUT ${path} HTTP/1.1`, ...fields, "", ""].join("\r\n"));
      const received = await socket.waitForClose();
      // The first is the runtime's own, and only where it knows the spelling.
      expect(received.replace(/^HTTP\/1.1 100[^]*?\r\n\r\n/, "")).toStartWith(`HTTP/1.1 ${status}`);
    }
  });
});

describe("an upload without free upload memory", () => {
  const LARGE = 4_000_000;
  let tight: TestStore;
  let path: string;
  beforeAll(async () => {
    tight = await startStore({ UPLOAD_MEMORY: "4MiB", SMALL_IMAGE: "0" });
    path = await newAlbum(tight);
  });
  afterAll(() => tight[Symbol.asyncDispose]());
  const head = (name: string) =>
    `PUT ${imagePath(path, name)}/content HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${LARGE}\r\n\r\n`;

  test("gets 503 before its body is sent, and the connection stays usable", async () => {
    const png = newPng(LARGE - 200);
    const body = Buffer.concat([png, Buffer.alloc(LARGE - png.length)]);
    using first = await openSocket(tight.port);
    await first.send(head("first"));
    await first.send(body.subarray(0, 1000));
    using second = await openSocket(tight.port);
    const refuse = async () => {
      await second.send(head("second"));
      return second.waitFor(isAnswered);
    };
    await until(() => areUnderWay(1, 0, tight));
    const refused = await refuse();
    expect(refused).toStartWith("HTTP/1.1 503");
    expect(refused).toContain('"code":"busy"');
    expect(refused).toMatch(/^retry-after: \d+/im);
    // The client may send the body, which the store drops, and then another request.
    await second.send(body);
    await second.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(await second.waitFor((text) => text.includes("HTTP/1.1 200"))).toContain("HTTP/1.1 200");
    await first.send(body.subarray(1000));
    expect(await first.waitFor(isAnswered)).toStartWith("HTTP/1.1 201");
    expect((await putContent(tight, path, "third", png)).status).toBe(201);
  });

  test("is accepted beside a slow upload, which holds less memory", async () => {
    await using roomy = await startStore({ UPLOAD_MEMORY: "5MiB", SMALL_IMAGE: "0" });
    const elsewhere = await newAlbum(roomy);
    const body = newPng(LARGE - 200);
    using slow = await openSocket(roomy.port);
    await slow.send(head("slow").replace(path, elsewhere));
    await until(() => areUnderWay(1, 0, roomy));
    const trickling = trickle(slow, body, 4000, 20);
    expect((await putContent(roomy, elsewhere, "early", body)).status).toBe(503);
    await until(async () => (await putContent(roomy, elsewhere, "late", body)).status === 201);
    // It still runs.
    expect(slow.received).toBe("");
    slow[Symbol.dispose]();
    await trickling;
  });
});

const isLinux = process.platform === "linux";
if (!isLinux) console.warn("SKIPPED: the memory of a large upload, since it is read from /proc");

const memoryOf = (pid: number, field: "VmRSS" | "VmHWM"): number =>
  1024 * Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

describe("a large upload", () => {
  const SIZE = 200_000_000;
  const ALLOWED = 30_000_000;

  /** A valid image whose end nobody needs to read, in pieces. */
  async function* largeImage(): AsyncGenerator<Uint8Array> {
    const png = newPng();
    yield png;
    const piece = new Uint8Array(1_000_000);
    for (let sent = png.length; sent < SIZE; sent += piece.length) {
      yield piece.subarray(0, Math.min(piece.length, SIZE - sent));
    }
  }

  test.skipIf(!isLinux)("and its download raise the server's memory by less than 30 MB", async () => {
    const dataFolder = await newFolder("large");
    try {
      const env = { IMAGE_STORE_MAX_UPLOAD: "256MiB", IMAGE_STORE_MIN_FREE: "0" };
      await using server = await startServer({ dataFolder, env });
      await fetch(`${server.url}/v1/albums/a`, { method: "PUT" });
      const put = (name: string, body: NonNullable<RequestInit["body"]>) =>
        fetch(`${server.url}/v1/albums/a/images/${name}/content`, { method: "PUT", body });
      // What any upload costs once: code, buffers, the catalog's cache.
      for (let index = 0; index < 20; index++) expect((await put(`small${index}`, newPng(1_000_000))).status).toBe(201);
      const before = memoryOf(server.pid, "VmRSS");

      const response = await put("large", new Response(largeImage() as never).body as ReadableStream);
      expect(response.status).toBe(201);
      const image = (await response.json()) as Image;
      expect(image.size).toBe(SIZE);
      const uploaded = memoryOf(server.pid, "VmHWM") - before;

      const hasher = new Bun.CryptoHasher("sha256");
      const content = await fetch(`${server.url}${image.links.content}`);
      for await (const chunk of content.body ?? []) hasher.update(chunk);
      expect(hasher.digest("hex")).toBe(image.sha256);
      const downloaded = memoryOf(server.pid, "VmHWM") - before;
      expect(uploaded).toBeLessThan(ALLOWED);
      expect(downloaded).toBeLessThan(ALLOWED);
    } finally {
      await removeFolder(dataFolder);
    }
  });
});
