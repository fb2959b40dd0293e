import { describe, expect, test } from "bun:test";
import { z } from "@hono/zod-openapi";
import { LOCAL } from "../../src/domain/caller.ts";
import { StoreError } from "../../src/domain/errors.ts";
import { type Access, createAccess } from "../../src/http/access.ts";
import { json, type Route, route } from "../../src/http/route.ts";
import { createHttpApp, type HttpAppOptions, type ResponseRecord, serve } from "../../src/http/server.ts";
import { sendRaw } from "./harness.ts";
import { WITHOUT_KEYS } from "./no-credentials.ts";
import { request } from "./raw-request.ts";

const refuse = () => {
  throw new Error("There are no routes.");
};
const noAccess: Access = {
  admit() {},
  authenticate: refuse,
  changes: refuse,
  authenticateAgain: refuse,
  endSession: refuse,
  watch: refuse,
  authenticateLink: refuse,
  anyone: refuse,
};
const goneBody = () => Bun.file("/no/such/file").slice(0, 10).stream();

test("a file that is removed before it is sent is answered with a problem", async () => {
  const told: unknown[] = [];
  const app = createHttpApp([], undefined, {
    access: noAccess,
    corsOrigins: [],
    maxJson: 1,
    onError: (error) => told.push(error),
  });
  const server = serve(
    { ...app, fetch: async () => new Response(goneBody(), { headers: { "Content-Length": "10" } }) },
    { host: "127.0.0.1", port: 0 },
  );
  try {
    const response = await fetch(server.url);
    expect(response.status).toBe(503);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(response.headers.get("retry-after")).toBe("1");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    const requestId = response.headers.get("x-request-id");
    expect(requestId).toBeString();
    expect(await response.json()).toMatchObject({
      code: "unavailable",
      requestId,
      detail: expect.not.stringContaining("/"),
    });
    expect(told).toEqual([expect.objectContaining({ code: "ENOENT" })]);
  } finally {
    await server.stop(0);
  }
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
