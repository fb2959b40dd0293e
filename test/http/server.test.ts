import { expect, test } from "bun:test";
import type { Access } from "../../src/http/access.ts";
import { createHttpApp, serve } from "../../src/http/server.ts";

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
