import { describe, expect, test } from "bun:test";
import { StoreError } from "../../src/domain/errors.ts";
import { createAccess } from "../../src/http/access.ts";
import { type HealthRouteDeps, healthRoutes } from "../../src/http/routes/health.ts";
import { createHttpApp } from "../../src/http/server.ts";
import type { Probes } from "../../src/operations/readiness.ts";
import { startStore } from "./harness.ts";
import { WITHOUT_KEYS } from "./no-credentials.ts";

const working: Probes = {
  catalog: { probe: async () => undefined },
  blobs: { probe: async () => ({ freeBytes: 1 }) },
};
const others: Omit<HealthRouteDeps, "probes"> = {
  metrics: async () => "up 1\n",
  patience: 50,
};

function get(path: string, probes: Partial<Probes> = {}, onError: (error: unknown) => void = () => {}) {
  const access = createAccess(WITHOUT_KEYS);
  const app = createHttpApp(
    healthRoutes,
    { ...others, probes: { ...working, ...probes } },
    { access, corsOrigins: [], maxJson: 1024, onError },
  );
  const request = new Request(`http://localhost${path}`, { headers: { host: "localhost" } });
  return app.fetch(request, { stopping: new AbortController().signal });
}

test("GET /healthz is 200 even when dependencies fail", async () => {
  const response = await get("/healthz", { catalog: { probe: () => Promise.reject(new Error("gone")) } });
  expect([response.status, await response.json()]).toEqual([200, { status: "ok" }]);
});

test("GET /metrics is in the Prometheus text format", async () => {
  const response = await get("/metrics");
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(await response.text()).toBe("up 1\n");
});

describe("GET /readyz", () => {
  test("is 200 when every check passes", async () => {
    const response = await get("/readyz");
    const checks = { catalog: "ok", blobs: "ok", disk: "ok" };
    expect([response.status, await response.json()]).toEqual([200, { status: "ready", checks }]);
  });

  test.each([
    ["catalog", { catalog: { probe: () => Promise.reject(new StoreError("unavailable", "gone")) } }],
    ["catalog", { catalog: { probe: () => Promise.withResolvers<never>().promise } }],
    ["blobs", { blobs: { probe: () => Promise.reject(new StoreError("unavailable", "read-only")) } }],
    ["disk", { blobs: { probe: () => Promise.reject(new StoreError("insufficient_storage", "full")) } }],
  ])("reports a failed %s check", async (failed, probes: Partial<Probes>) => {
    const response = await get("/readyz", probes);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      code: "unavailable",
      detail: `Not ready: ${failed}.`,
      checks: { catalog: "ok", blobs: "ok", disk: "ok", [failed]: "failed" },
    });
  });

  test("writes causes to the log, not to the answer", async () => {
    const cause = new StoreError("unavailable", "no", { cause: new Error("EROFS") });
    const told: unknown[] = [];
    const response = await get("/readyz", { blobs: { probe: () => Promise.reject(cause) } }, (error) =>
      told.push(error),
    );
    expect(await response.text()).not.toContain("EROFS");
    expect(told.map((error) => ((error as StoreError).cause as AggregateError).errors)).toEqual([[cause]]);
  });
});

/** How often catalog and blobs were probed. */
const probesIn = (text: string) =>
  ["catalog", "blob"].map((port) => {
    const name = `image_store_${port}_operation_duration_seconds_count`;
    return Number(new RegExp(`^${name}\\{operation="probe",outcome="ok"\\} (\\d+)$`, "m").exec(text)?.[1]);
  });

describe("unauthenticated requests", () => {
  test("for readiness and metrics run each probe at most once a second", async () => {
    await using store = await startStore();
    const started = performance.now();
    let asked = 0;
    while (performance.now() - started < 2500 || asked < 100) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, index) => fetch(`${store.url}/${index % 10 === 0 ? "metrics" : "readyz"}`)),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      await Promise.all(answers.map((answer) => answer.text()));
      asked += answers.length;
    }
    const probes = probesIn(await (await fetch(`${store.url}/metrics`)).text());
    const seconds = (performance.now() - started) / 1000;
    expect(asked).toBeGreaterThanOrEqual(100);
    for (const count of probes) {
      // It is asked again in the end, or what was true once would be told for ever.
      expect(count).toBeGreaterThanOrEqual(2);
      expect(count).toBeLessThanOrEqual(seconds + 1);
    }
  });
});
