import { describe, expect, test } from "bun:test";
import { StoreError } from "../../src/domain/errors.ts";
import { createAccess } from "../../src/http/access.ts";
import { type HealthNeeds, healthRoutes } from "../../src/http/routes/health.ts";
import { createHttpApp } from "../../src/http/server.ts";
import { createLinkSigner } from "../../src/operations/link-signer.ts";

const working: HealthNeeds = {
  catalog: { probe: async () => undefined },
  blobs: { probe: async () => ({ freeBytes: 1 }) },
  metrics: async () => "up 1\n",
  patience: 50,
};

function get(path: string, needs: Partial<HealthNeeds> = {}, onError: (error: unknown) => void = () => {}) {
  const access = createAccess({
    apiKeys: [],
    publicRead: false,
    publicUrl: undefined,
    corsOrigins: [],
    links: createLinkSigner([]),
  });
  const app = createHttpApp(
    healthRoutes,
    { ...working, ...needs },
    { access, corsOrigins: [], maxJson: 1024, onError },
  );
  const request = new Request(`http://localhost${path}`, { headers: { host: "localhost" } });
  return app.fetch(request, { stopping: new AbortController().signal });
}

test("a process that answers lives, whatever else is broken", async () => {
  const response = await get("/healthz", { catalog: { probe: () => Promise.reject(new Error("gone")) } });
  expect([response.status, await response.json()]).toEqual([200, { status: "ok" }]);
});

test("metrics are in the text format", async () => {
  const response = await get("/metrics");
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(await response.text()).toBe("up 1\n");
});

describe("readiness", () => {
  test("when everything works", async () => {
    const response = await get("/readyz");
    const checks = { catalog: "ok", blobs: "ok", disk: "ok" };
    expect([response.status, await response.json()]).toEqual([200, { status: "ready", checks }]);
  });

  test.each([
    ["catalog", { catalog: { probe: () => Promise.reject(new StoreError("unavailable", "gone")) } }],
    ["catalog", { catalog: { probe: () => Promise.withResolvers<never>().promise } }],
    ["blobs", { blobs: { probe: () => Promise.reject(new StoreError("unavailable", "read-only")) } }],
    ["disk", { blobs: { probe: () => Promise.reject(new StoreError("insufficient_storage", "full")) } }],
  ])("says that the %s check failed", async (failed, needs: Partial<HealthNeeds>) => {
    const response = await get("/readyz", needs);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      code: "unavailable",
      detail: `Not ready: ${failed}.`,
      checks: { catalog: "ok", blobs: "ok", disk: "ok", [failed]: "failed" },
    });
  });

  test("tells the causes to the log, and not to the caller", async () => {
    const cause = new StoreError("unavailable", "no", { cause: new Error("EROFS") });
    const told: unknown[] = [];
    const response = await get("/readyz", { blobs: { probe: () => Promise.reject(cause) } }, (error) =>
      told.push(error),
    );
    expect(await response.text()).not.toContain("EROFS");
    expect(told.map((error) => ((error as StoreError).cause as AggregateError).errors)).toEqual([[cause]]);
  });
});
