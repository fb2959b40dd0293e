import { expect, test } from "bun:test";
import type { Access } from "../../src/http/access.ts";
import { createHttpApp, serve } from "../../src/http/server.ts";

const refuse = () => {
  throw new Error("There are no routes.");
};
const nobody: Access = { admit() {}, authorize: refuse, authorizeLink: refuse };
const goneBody = () => Bun.file("/no/such/file").slice(0, 10).stream();

test("an answer whose file has gone when it is to be sent is no page of the runtime", async () => {
  const told: unknown[] = [];
  const app = createHttpApp([], undefined, {
    access: nobody,
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
    expect(await response.json()).toMatchObject({ code: "unavailable", detail: expect.not.stringContaining("/") });
    expect(told).toEqual([expect.objectContaining({ code: "ENOENT" })]);
  } finally {
    await server.stop(0);
  }
});
