import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { z } from "@hono/zod-openapi";
import { LOCAL } from "../../src/domain/caller.ts";
import { StoreError } from "../../src/domain/errors.ts";
import { createAccess } from "../../src/http/access.ts";
import { json, type Route, route } from "../../src/http/route.ts";
import { createHttpApp, type HttpAppOptions, type ResponseRecord, serve } from "../../src/http/server.ts";
import { jsonOf, sendRaw, startStore, type TestStore } from "./harness.ts";
import { WITHOUT_KEYS } from "./no-credentials.ts";

interface Problem {
  readonly code: string;
  readonly requestId: string;
  readonly errors?: readonly { pointer?: string; parameter?: string }[];
}

let store: TestStore;
beforeAll(async () => {
  store = await startStore({ MAX_JSON: "256KiB" });
});
afterAll(() => store[Symbol.asyncDispose]());

const request = (line: string, ...headers: string[]): string =>
  [`${line} HTTP/1.1`, "Host: localhost", ...headers, "", ""].join("\r\n");
const statusOf = (text: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
const UUID = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;

const post = (
  body: string | Blob | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = { "Content-Type": "application/json" },
) => store.fetch("/v1/albums", { method: "POST", body, headers });
const codeOf = async (response: Response) => (await jsonOf<Problem>(response)).code;

describe("request ids", () => {
  test.each(["abc-123", "a".repeat(128), "01J:x/y+z=~_.", "0af7651916cd43dd8448eb211c80319c"])(
    "%p is accepted",
    async (id) => {
      const response = await store.fetch("/v1/albums/missing", { headers: { "X-Request-Id": id } });
      expect(response.headers.get("x-request-id")).toBe(id);
      expect((await jsonOf<Problem>(response)).requestId).toBe(id);
    },
  );

  test.each(["a b", "a".repeat(129), "<script>", "é", "a,b"])("%p is replaced", async (id) => {
    const response = await store.fetch("/healthz", { headers: { "X-Request-Id": id } });
    expect(response.headers.get("x-request-id")).toMatch(UUID);
  });
});

describe("paths", () => {
  test.each([
    ["/v1", "not_found"],
    ["/V1/albums", "not_found"],
    ["/v1/albums/", "invalid_name"],
    ["/v1/albums//", "not_found"],
    ["/v1/albums/a/", "not_found"],
    ["/v1/albums/a%2Fb", "invalid_name"],
    ["/v1/albums/%zz", "invalid_name"],
    ["/v1/albums/%", "invalid_name"],
    ["/v1/albums/%ff", "invalid_name"],
    ["/v1/albums/%ed%a0%80", "invalid_name"],
    ["/v1/albums/%C0%AF", "invalid_name"],
    ["/v1/albums/%00", "invalid_name"],
    ["/v1/albums/%E2%80%AE", "invalid_name"],
    [`/v1/albums/${"%C3%A9".repeat(128)}`, "invalid_name"],
    ["/v1/albums/a%2525b", "album_not_found"],
    ["/v1/albums/a/../../../etc/passwd", "not_found"],
    ["/v1/albums/%2e%2e", "not_found"],
    ["/v1/albums/a\\..\\b", "album_not_found"],
    ["/healthz/", "not_found"],
    ["/docs//", "not_found"],
    ["//", "not_found"],
    ["/docs/..%2fpackage.json", "not_found"],
    ["/docs/__proto__", "not_found"],
    ["/v1/albums/x;y=1,z&", "album_not_found"],
  ])("%s: %s", async (path, code) => {
    const { text } = await store.sendRaw(request(`GET ${path}`, "Connection: close"));
    expect(statusOf(text)).toBe(code === "invalid_name" ? 400 : 404);
    expect(text).toContain(`"code":"${code}"`);
  });

  test("are decoded once: an escaped percent sign stays", async () => {
    const name = "100%25 %41";
    expect((await store.send("POST", "/v1/albums", { name })).status).toBe(201);
    const response = await store.fetch(`/v1/albums/${encodeURIComponent(name)}`);
    expect((await jsonOf<{ name: string }>(response)).name).toBe(name);
    expect((await store.fetch("/v1/albums/100%25%20A")).status).toBe(404);
  });

  test("are compared in NFC", async () => {
    await store.send("POST", "/v1/albums", { name: "Ångström" });
    expect((await store.fetch(`/v1/albums/${encodeURIComponent("Ångström".normalize("NFD"))}`)).status).toBe(200);
  });
});

describe("methods", () => {
  test("405 lists the allowed methods", async () => {
    for (const [method, path, allow] of [
      ["DELETE", "/v1/albums", "GET, HEAD, OPTIONS, POST"],
      ["POST", "/v1/albums/a", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"],
      ["PUT", "/healthz", "GET, HEAD, OPTIONS"],
    ] as const) {
      const response = await store.fetch(path, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toBe(allow);
      expect((await jsonOf<Problem>(response)).code).toBe("method_not_allowed");
    }
    expect(statusOf((await store.sendRaw(request("TRACE /v1/albums", "Connection: close"))).text)).toBe(405);
  });

  test("OPTIONS lists the allowed methods, and has no CORS headers without CORS", async () => {
    const headers = { Origin: store.url, "Access-Control-Request-Method": "DELETE" };
    const response = await store.fetch("/v1/albums/a", { method: "OPTIONS", headers });
    expect(response.status).toBe(204);
    expect(response.headers.get("allow")).toBe("DELETE, GET, HEAD, OPTIONS, PATCH, PUT");
    expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
    expect((await store.fetch("/nowhere", { method: "OPTIONS" })).status).toBe(404);
  });

  test("HEAD of every route without parameters has the Content-Length of GET and no body", async () => {
    const paths = ["/v1/albums", "/v1/images", "/v1/events", "/v1/cursors", "/healthz", "/readyz"];
    for (const path of [...paths, "/openapi.json", "/docs", "/docs/swagger-ui-bundle.js"]) {
      const get = await store.fetch(path);
      const length = (await get.arrayBuffer()).byteLength;
      const { text } = await store.sendRaw(request(`HEAD ${path}`, "Connection: close"));
      expect(statusOf(text)).toBe(get.status);
      expect(text.toLowerCase()).toContain(`\r\ncontent-length: ${length}\r\n`);
      expect(text.endsWith("\r\n\r\n")).toBeTrue();
    }
  });

  test("HEAD of a generated answer has a Content-Length", async () => {
    const { text } = await store.sendRaw(request("HEAD /metrics", "Connection: close"));
    expect(/content-length: ([1-9]\d+)/i.test(text)).toBeTrue();
    expect(text.endsWith("\r\n\r\n")).toBeTrue();
  });

  test("HEAD of an error has its Content-Length, its Date and no body", async () => {
    for (const [path, status] of [
      ["/v1/albums/missing", 404],
      ["/nowhere", 404],
      ["/v1/albums?x=1", 400],
      ["/v1/albums/a/images/b/links", 405],
    ] as const) {
      const { text } = await store.sendRaw(request(`HEAD ${path}`, "Connection: close"));
      expect([path, statusOf(text)]).toEqual([path, status]);
      expect(text).toMatch(/content-length: [1-9]\d+/i);
      expect(text).toMatch(/\r\ndate: [^\r]+ GMT\r\n/i);
      expect(text.endsWith("\r\n\r\n")).toBeTrue();
    }
  });
});

describe("queries", () => {
  test("a bare question mark is an empty query", async () => {
    expect(statusOf((await store.sendRaw(request("GET /v1/albums?", "Connection: close"))).text)).toBe(200);
    expect(statusOf((await store.sendRaw(request("GET /healthz?&", "Connection: close"))).text)).toBe(200);
  });
});

describe("JSON bodies", () => {
  test.each(["{", '{"name":"a"', '{"name":"a"}}', "nonsense", "{'name':'a'}", '{"name":"a",}', "\u0000", '"a'])(
    "%p is malformed",
    async (body) => {
      const response = await post(body);
      expect(response.status).toBe(400);
      expect(await jsonOf<Problem>(response)).toMatchObject({ code: "invalid_request", errors: [{ pointer: "" }] });
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
    expect(await jsonOf<Problem>(response)).toMatchObject({ code: "invalid_request", errors: [{ pointer }] });
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

describe("Host", () => {
  test.each([
    ["two", "Host: localhost\r\nHost: localhost"],
    ["two that differ", "Host: localhost\r\nHost: evil.example"],
    ["a space", "Host: local host"],
    ["a path", "Host: localhost/v1"],
    ["a user", "Host: a@localhost"],
    ["a fragment", "Host: localhost#"],
    ["a port that is none", "Host: localhost:http"],
    ["a port beyond the last", "Host: localhost:65536"],
    ["empty", "Host: "],
    ["foreign", "Host: evil.example"],
    ["an address that is not ours", "Host: 169.254.169.254"],
    ["a name that begins like an address of ours", "Host: 127.0.0.1.evil.example"],
    ["one that begins like ours", "Host: localhost.evil.example"],
  ])("%s is 400", async (_why, host) => {
    const { text } = await store.sendRaw(`GET /v1/albums HTTP/1.1\r\n${host}\r\nConnection: close\r\n\r\n`);
    expect(statusOf(text)).toBe(400);
    expect(text).toContain('"code":"invalid_host"');
    expect(text.toLowerCase()).toContain("x-request-id: ");
  });

  test("a missing Host is 400", async () => {
    expect(statusOf((await store.sendRaw("GET /v1/albums HTTP/1.1\r\n\r\n")).text)).toBe(400);
    expect(statusOf((await store.sendRaw("GET /v1/albums HTTP/1.0\r\n\r\n")).text)).toBe(400);
  });

  test.each(["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.0.0.2", "[::1]", "[::1]:8080"])(
    "%s is accepted",
    async (host) => {
      const { text } = await store.sendRaw(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      expect(statusOf(text)).toBe(200);
    },
  );

  test("an absolute target overrides the header", async () => {
    const { text } = await store.sendRaw(request("GET http://evil.example/healthz", "Connection: close"));
    expect(statusOf(text)).toBe(200);
  });
});

describe("a request that the HTTP parser refuses", () => {
  test.each([
    [
      "a length and chunks",
      request("POST /v1/albums", "Content-Length: 3", "Transfer-Encoding: chunked") + "0\r\n\r\n",
    ],
    ["two lengths", `${request("POST /v1/albums", "Content-Length: 3", "Content-Length: 4")}abc`],
    ["large headers", request("GET /healthz", `X: ${"a".repeat(20_000)}`)],
    ["no HTTP", "hello\r\n\r\n"],
  ])("%s", async (_why, data) => {
    const { text, closed } = await store.sendRaw(data);
    expect(closed).toBeTrue();
    expect([0, 400, 431]).toContain(statusOf(text));
  });
});

/** The server around routes of this test's own, to see what no route of the store does on demand. */
function serveRoutes(routes: readonly Route<object>[], options: Partial<HttpAppOptions> = {}) {
  const responses: ResponseRecord[] = [];
  const errors: unknown[] = [];
  const access = createAccess(WITHOUT_KEYS);
  const app = createHttpApp(
    routes,
    {},
    {
      access,
      corsOrigins: [],
      maxJson: 1024,
      onResponse: (response) => responses.push(response),
      onError: (error) => errors.push(error),
      ...options,
    },
  );
  const server = serve(app, { host: "127.0.0.1", port: 0 });
  return { server, responses, errors, url: server.url.origin, port: Number(server.url.port) };
}

const plain = { method: "GET", right: "read", summary: "", tag: "", responses: {}, errors: [] } as const;

describe("the HTTP server", () => {
  test("answers an unknown error with 500 and no details, and logs the error", async () => {
    const failure = new Error("secret: /var/lib/passwords");
    const routes = [
      route({ ...plain, path: "/now", operationId: "now" }, () => {
        throw failure;
      }),
      route({ ...plain, path: "/later", operationId: "later" }, () => Promise.reject(failure)),
    ];
    const { server, url, errors } = serveRoutes(routes);
    for (const path of ["/now", "/later"]) {
      const response = await fetch(url + path);
      expect(response.status).toBe(500);
      const text = await response.text();
      expect(JSON.parse(text)).toMatchObject({ code: "internal", requestId: response.headers.get("x-request-id") });
      expect(text).not.toContain("secret");
    }
    expect(errors).toEqual([failure, failure]);
    await server.stop(0);
  });

  test("does not report a client that disconnects as an error", async () => {
    const { promise: running, resolve: started } = Promise.withResolvers<void>();
    const { promise: left, resolve: gone } = Promise.withResolvers<void>();
    const routes = [
      route({ ...plain, path: "/wait", operationId: "wait" }, async ({ signal }) => {
        started();
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        throw new Error("nobody is there");
      }),
    ];
    const statuses: number[] = [];
    const { server, url, errors } = serveRoutes(routes, {
      onResponse: ({ status }) => {
        statuses.push(status);
        gone();
      },
    });
    const client = new AbortController();
    const answer = fetch(`${url}/wait`, { signal: client.signal }).catch(() => "left");
    await running;
    client.abort();
    expect(await answer).toBe("left");
    await left;
    expect(errors).toEqual([]);
    expect(statuses).toEqual([408]);
    await server.stop(0);
  });

  test("sends members and Retry-After of a StoreError", async () => {
    const routes = [
      route({ ...plain, path: "/busy", operationId: "busy" }, () => {
        throw new StoreError("busy", "Later.", { members: { limit: 7 }, cause: new Error("secret") });
      }),
    ];
    const { server, url } = serveRoutes(routes);
    const response = await fetch(`${url}/busy`);
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toEqual({
      type: "about:blank",
      title: "Service Unavailable",
      status: 503,
      detail: "Later.",
      code: "busy",
      requestId: response.headers.get("x-request-id"),
      limit: 7,
    });
    await server.stop(0);
  });

  test("reports every answer: operation, status, bytes and principal", async () => {
    const query = z.strictObject({ n: z.string().optional(), tag: z.array(z.string()).optional() });
    const routes = [
      route({ ...plain, path: "/things/{thing}/{id}", operationId: "getThing", query }, (given) =>
        json(200, {
          ...given.params,
          ...given.query,
          traceparent: given.traceparent,
          open: given.anyone === LOCAL,
        }),
      ),
    ];
    const { server, url, responses } = serveRoutes(routes);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const headers = { traceparent };
    const response = await fetch(`${url}/things/a%20b/%41?n=1+2&tag=x&tag=%26`, { headers });
    const text = await response.text();
    expect(JSON.parse(text)).toEqual({
      thing: "a b",
      id: "%41",
      n: "1 2",
      tag: ["x", "&"],
      traceparent,
      open: true,
    });
    await fetch(`${url}/nowhere`, { method: "POST", body: "abc" });
    await fetch(`${url}/things/a/b`, { headers: { traceparent: `${traceparent}0` } });
    expect(responses).toMatchObject([
      { operationId: "getThing", method: "GET", path: "/things/a%20b/%41", status: 200, responseBytes: text.length },
      { operationId: undefined, method: "POST", path: "/nowhere", status: 404, requestBytes: 3, principal: undefined },
      { operationId: "getThing", status: 200 },
    ]);
    expect(responses.every((one) => one.seconds >= 0 && one.seconds < 60)).toBeTrue();
    await server.stop(0);
  });

  test("refuses two routes for one method and path at the start", () => {
    const twice = route({ ...plain, path: "/a", operationId: "a" }, () => json(200, {}));
    expect(() => serveRoutes([twice, twice])).toThrow("two routes");
  });

  test("finishes running requests and accepts none while it stops", async () => {
    const { promise: release, resolve: finish } = Promise.withResolvers<void>();
    const { promise: running, resolve: started } = Promise.withResolvers<AbortSignal>();
    const routes = [
      route({ ...plain, path: "/slow", operationId: "slow" }, async (given) => {
        started(given.stopping);
        await release;
        return json(200, { done: true });
      }),
    ];
    const { server, url, port } = serveRoutes(routes);
    const answer = fetch(`${url}/slow`);
    const signal = await running;
    expect(signal.aborted).toBeFalse();
    const stopped = server.stop(20_000);
    expect(signal.aborted).toBeTrue();
    expect((await sendRaw(port, request("GET /slow"))).text).toBe("");
    finish();
    expect(await (await answer).json()).toEqual({ done: true });
    expect(await stopped).toBeTrue();
  });

  test("stops after its deadline even with running requests", async () => {
    const { promise: running, resolve: started } = Promise.withResolvers<void>();
    const routes = [
      route({ ...plain, path: "/stuck", operationId: "stuck" }, () => {
        started();
        return new Promise<Response>(() => {});
      }),
    ];
    const { server, url } = serveRoutes(routes);
    const answer = fetch(`${url}/stuck`).then(
      () => "answered",
      () => "cut off",
    );
    await running;
    expect(await server.stop(50)).toBeFalse();
    expect(await answer).toBe("cut off");
  });
});
