import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { jsonOf, startStore, type TestStore } from "../harness.ts";
import { codeOf } from "../image-fixtures.ts";
import { request, statusOf } from "../raw-request.ts";

let store: TestStore;
beforeAll(async () => {
  store = await startStore({ MAX_JSON: "256KiB" });
});
afterAll(() => store[Symbol.asyncDispose]());

const post = (
  body: string | Blob | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = { "Content-Type": "application/json" },
) => store.fetch("/v1/albums", { method: "POST", body, headers });

describe("JSON bodies", () => {
  test.each(["{", '{"name":"a"', '{"name":"a"}}', "nonsense", "{'name':'a'}", '{"name":"a",}', "\u0000", '"a'])(
    "%p is malformed",
    async (body) => {
      const response = await post(body);
      expect(response.status).toBe(400);
      expect(await jsonOf<object>(response)).toMatchObject({ code: "invalid_request", errors: [{ pointer: "" }] });
    },
  );

  test("invalid UTF-8 is malformed", async () => {
    const response = await post(new Uint8Array([...Buffer.from('{"name":"'), 0xff, ...Buffer.from('"}')]));
    expect(await codeOf(response)).toBe("invalid_request");
  });

  test.each([
    ['{"name":"a","__proto__":{"title":"x"}}', "/__proto__"],
    ['{"name":"a","metadata":{"__proto__":"x"}}', "/metadata/__proto__"],
    ['{"name":"a","metadata":{"\\u005f_proto__":{"a":"b"}}}', "/metadata/__proto__"],
  ])("with the prototype key %s are refused", async (body, pointer) => {
    const response = await post(body);
    expect(response.status).toBe(400);
    expect(await jsonOf<object>(response)).toMatchObject({ code: "invalid_request", errors: [{ pointer }] });
    expect(({} as { title?: unknown }).title).toBeUndefined();
  });

  test("with deep nesting are refused quickly", async () => {
    for (const body of ["[".repeat(200_000), '{"a":'.repeat(50_000), `${"[".repeat(100_000)}${"]".repeat(100_000)}`]) {
      expect((await post(body)).status).toBe(400);
    }
  });

  test.each([
    [{ "Content-Type": "text/plain" }],
    [{ "Content-Type": "application/x-www-form-urlencoded" }],
    [{ "Content-Type": "application/jsonp" }],
    [{ "Content-Type": "application/merge-patch+json" }],
    [{ "Content-Type": "" }],
    [{ "Content-Type": "application/json", "Content-Encoding": "gzip" }],
  ])("with Content-Type %p are 415", async (headers) => {
    const response = await post(new Blob(['{"name":"a"}']), headers);
    expect(response.status).toBe(415);
    expect(await codeOf(response)).toBe("unsupported_media_type");
  });

  test("may have parameters in their Content-Type, and any case", async () => {
    const headers = { "Content-Type": "Application/JSON; charset=UTF-8" };
    expect((await post(JSON.stringify({ name: crypto.randomUUID() }), headers)).status).toBe(201);
  });

  test("are required where documented", async () => {
    const response = await post("", { "Content-Type": "application/json" });
    expect(response.status).toBe(400);
    expect(await codeOf(response)).toBe("empty_body");
  });

  test("over the declared limit are 413 and close the connection", async () => {
    const length = 256 * 1024 + 1;
    const head = request("POST /v1/albums", "Content-Type: application/json", `Content-Length: ${length}`);
    const { text } = await store.sendRaw(head + " ".repeat(length) + request("GET /healthz", "Connection: close"));
    expect(statusOf(text)).toBe(413);
    expect(text).toContain('"code":"too_large"');
  });

  test("over the limit are 413 when chunked", async () => {
    const chunk = `10000\r\n${" ".repeat(0x10000)}\r\n`;
    const head = request("POST /v1/albums", "Content-Type: application/json", "Transfer-Encoding: chunked");
    const { text } = await store.sendRaw(`${head}${chunk.repeat(5)}0\r\n\r\n`);
    expect(statusOf(text)).toBe(413);
    expect(text).toContain('"code":"too_large"');
  });

  test("at the limit are read", async () => {
    const body = JSON.stringify({ name: crypto.randomUUID() });
    expect((await post(body.padEnd(256 * 1024))).status).toBe(201);
  });

  test("that end early do not disturb the server", async () => {
    const head = request("POST /v1/albums", "Content-Type: application/json", "Content-Length: 100");
    const socket = await Bun.connect({ hostname: "127.0.0.1", port: store.port, socket: { data() {} } });
    socket.write(`${head}{"name":`);
    await Bun.sleep(50);
    socket.terminate();
    expect((await store.fetch("/healthz")).status).toBe(200);
  });
});

describe("an unread request body", () => {
  test("that is small is discarded, and the connection stays open", async () => {
    const body = "GET /v1/cursors HTTP/1.1\r\n\r\n";
    const refused = request("POST /nowhere", `Content-Length: ${body.length}`) + body;
    const { text } = await store.sendRaw(refused + request("GET /healthz", "Connection: close"));
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 404", "HTTP/1.1 200"]);
  });

  test("that is large closes the connection soon", async () => {
    const socket = Promise.withResolvers<number>();
    let sent = 0;
    const chunk = new Uint8Array(64 * 1024);
    const flood = (to: Bun.Socket) => {
      for (let wrote = 1; wrote > 0; sent += Math.max(wrote, 0)) wrote = to.write(chunk);
    };
    await Bun.connect({
      hostname: "127.0.0.1",
      port: store.port,
      socket: {
        open(to) {
          to.write(request("POST /nowhere", "Content-Length: 1000000000"));
          flood(to);
        },
        drain: flood,
        data() {},
        close: () => socket.resolve(sent),
        error: () => socket.resolve(sent),
      },
    });
    // Of 1 GB: 1 MiB, and the buffers of two sockets, which the kernel enlarges while the machine is busy.
    expect(await socket.promise).toBeLessThan(100 * 1024 * 1024);
  });
});
