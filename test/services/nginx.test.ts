import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { randomImage } from "../faults/random-image.ts";
import { type ServerProcess, startServer } from "../faults/server-process.ts";
import { makeTemporaryFolder, removeLeftovers, removeTemporaryFolders } from "../faults/temporary-folder.ts";
import { openSocket } from "../http/raw-socket.ts";
import { until } from "../waiting.ts";
import { freePort } from "./free-ports.ts";
import { type NginxServer, nginxIsMissing, readConfiguration, startNginx } from "./nginx-server.ts";

const missing = nginxIsMissing();
let server: ServerProcess;
beforeAll(async () => {
  removeLeftovers();
  if (!missing) server = await startServer({ dataFolder: makeTemporaryFolder(), env: { IMAGE_STORE_MIN_FREE: "0" } });
});
afterAll(async () => {
  await server?.stop("SIGKILL");
  removeTemporaryFolders();
});

const uploadsInFlight = async (): Promise<number> => {
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^image_store_uploads_in_flight (\d+)$/m.exec(metrics)?.[1]);
};

const configurations = [
  { name: "nginx.conf" as const, servers: ["node-1:8080", "node-2:8080", "node-3:8080"], inHttp: false },
  { name: "nginx-single.conf" as const, servers: ["127.0.0.1:8080"], inHttp: true },
];

describe.skipIf(missing).each(configurations)("deploy/$name", ({ name, servers, inHttp }) => {
  const album = `of-${name}`;
  const path = `/v1/albums/${album}`;
  let nginx: NginxServer;

  const start = (host: string): Promise<NginxServer> =>
    startNginx({
      configuration: readConfiguration(name),
      inHttp,
      upstreams: Object.fromEntries(servers.map((each) => [each, host])),
      folder: join(makeTemporaryFolder(), "nginx"),
    });
  beforeAll(async () => {
    if (missing) return;
    nginx = await start(new URL(server.url).host);
    expect((await fetch(nginx.url + path, { method: "PUT" })).status).toBe(201);
  });
  afterAll(() => nginx?.[Symbol.asyncDispose]());

  test("streams an upload of 60 MB, and returns its bytes, ranges and ETag unchanged", async () => {
    const image = randomImage(60_000_000);
    const half = Promise.withResolvers<void>();
    const { promise: rest, resolve: sendRest } = half;
    async function* pieces() {
      yield image.bytes.subarray(0, 30_000_000);
      await rest;
      yield image.bytes.subarray(30_000_000);
    }
    const content = `${nginx.url}${path}/images/large/content`;
    const put = fetch(content, { method: "PUT", body: pieces(), headers: { "content-type": "image/png" } });
    await until(async () => (await uploadsInFlight()) === 1, 20);
    sendRest();
    expect((await put).status).toBe(201);

    const whole = await fetch(content, { headers: { "accept-encoding": "gzip" } });
    expect(new Bun.CryptoHasher("sha256").update(await whole.bytes()).digest("hex")).toBe(image.sha256);
    expect(whole.headers.get("etag")).toStartWith('"');
    const part = await fetch(content, { headers: { range: "bytes=40000000-40000099" } });
    expect([part.status, part.headers.get("content-range")]).toEqual([
      206,
      `bytes 40000000-40000099/${image.bytes.length}`,
    ]);
    expect(Buffer.compare(await part.bytes(), image.bytes.subarray(40_000_000, 40_000_100))).toBe(0);
    const record = await fetch(`${nginx.url}${path}/images/large`, { headers: { "accept-encoding": "gzip" } });
    expect([record.headers.get("etag")?.startsWith('"'), record.headers.get("content-encoding")]).toEqual([true, null]);
  });

  test("passes events and long polls on without buffering", async () => {
    const stream = await fetch(`${nginx.url}/v1/events/stream`);
    const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
    const { watermark } = (await (await fetch(`${nginx.url}/v1/events`)).json()) as { watermark?: string };
    const poll = fetch(`${nginx.url}/v1/events?wait=30${watermark === undefined ? "" : `&after=${watermark}`}`);
    const title = crypto.randomUUID();
    const changed = await fetch(nginx.url + path, {
      method: "PATCH",
      headers: { "content-type": "application/merge-patch+json" },
      body: JSON.stringify({ title }),
    });
    expect(changed.status).toBe(200);
    let text = "";
    while (!text.includes(title)) text += Buffer.from((await reader.read()).value ?? []).toString();
    await reader.cancel();
    expect((await poll).status).toBe(200);
  });

  test.each([
    ["FOO / HTTP/1.1", "405", "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"],
    ["PROPFIND /v1/albums HTTP/1.1", "405", "method_not_allowed"],
    ["TRACE / HTTP/1.1", "405", "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"],
    ["PUT /healthz HTTP/1.1", "405", "Allow: GET, HEAD, OPTIONS"],
    ["GET /.\\metrics HTTP/1.1", "400", "must be encoded: %5C"],
    ["GET /x\\..\\metrics HTTP/1.1", "400", "invalid_request"],
    ["GET /metrics HTTP/1.1", "404", ""],
    ["GET /x/../metrics HTTP/1.1", "404", ""],
    ["GET /%6detrics HTTP/1.1", "404", ""],
    ["GET /v1/albums/%5C HTTP/1.1", "404", "album_not_found"],
    ["GET /healthz?a\\b HTTP/1.1", "400", "unknown_parameter"],
  ])("answers %s with %s", async (line, status, text) => {
    using socket = await openSocket(nginx.port);
    await socket.send(`${line}\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    const answer = await socket.waitForClose();
    expect(answer).toStartWith(`HTTP/1.1 ${status} `);
    expect(answer).toContain(text);
    expect(answer.match(/^Allow:/gim)?.length ?? 0).toBe(status === "405" ? 1 : 0);
  });

  test("logs each request without the secrets of share links, upload tickets and signed links", async () => {
    const before = nginx.accesses().length;
    const secret = "abcdefghij0123456789";
    const paths = [
      `/s/imgsh_${secret}`,
      `/v1/uploads/imgtk_${secret}`,
      `/v1/uploads/imgtk_${secret}/x`,
      `//s/imgsh_${secret}`,
    ];
    for (const each of [...paths, `${path}?signature=${secret}`]) await (await fetch(nginx.url + each)).text();
    await until(() => nginx.accesses().length >= before + 5);
    const lines = nginx.accesses().slice(before).join("\n");
    expect(lines).toContain("/s/***");
    expect(lines).toContain("/v1/uploads/***");
    expect(lines).toContain(path);
    expect(lines).not.toContain(secret);
  });

  test("answers 503 like the store when no node is reachable", async () => {
    await using alone = await start(`127.0.0.1:${await freePort()}`);
    const answer = await fetch(`${alone.url}/v1/albums`);
    expect([answer.status, answer.headers.get("content-type"), answer.headers.get("retry-after")]).toEqual([
      503,
      "application/problem+json",
      "1",
    ]);
    expect(await answer.json()).toMatchObject({ code: "unavailable", status: 503 });
  });
});
