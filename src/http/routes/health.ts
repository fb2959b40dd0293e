import { z } from "@hono/zod-openapi";
import { type ReadinessDeps, readiness } from "../../operations/readiness.ts";
import { answers, json, type Route, route } from "../route.ts";

export interface HealthRouteDeps extends ReadinessDeps {
  /** All metrics in the text format of Prometheus. */
  readonly metrics: () => Promise<string>;
}

const TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8";
const aliveSchema = z.strictObject({ status: z.literal("ok") }).openapi("Alive");
const ok = z.literal("ok");
const readySchema = z
  .strictObject({ status: z.literal("ready"), checks: z.strictObject({ catalog: ok, blobs: ok, disk: ok }) })
  .openapi("Ready");

const healthz = route<HealthRouteDeps, "/healthz">(
  {
    method: "GET",
    path: "/healthz",
    operationId: "getHealth",
    right: "open",
    summary: "Check that the process runs",
    description: "Liveness probe. It checks no dependency; see `getReadiness`.",
    tag: "Operation",
    responses: { 200: answers("The process runs.", aliveSchema, { status: "ok" }) },
    errors: [],
  },
  () => json(200, { status: "ok" }),
);

const readyz = route<HealthRouteDeps, "/readyz">(
  {
    method: "GET",
    path: "/readyz",
    operationId: "getReadiness",
    right: "open",
    summary: "Check that the store can serve requests",
    description:
      "Readiness probe: the catalog responds, blobs can be written, and there is room for uploads. `checks` names what failed.",
    tag: "Operation",
    responses: {
      200: answers("The store is ready.", readySchema, {
        status: "ready",
        checks: { catalog: "ok", blobs: "ok", disk: "ok" },
      }),
    },
    errors: ["unavailable"],
  },
  async (_request, needs) => json(200, { status: "ready", checks: await readiness(needs) }),
);

const metrics = route<HealthRouteDeps, "/metrics">(
  {
    method: "GET",
    path: "/metrics",
    operationId: "getMetrics",
    right: "admin",
    summary: "Get metrics for Prometheus",
    description: "A store without API keys serves metrics to every client.",
    tag: "Operation",
    responses: { 200: { description: "The text format.", content: { "text/plain": { schema: "text" } } } },
    errors: [],
  },
  async (_request, deps) => {
    const text = await deps.metrics();
    return new Response(text, {
      headers: {
        "Content-Type": TEXT_FORMAT,
        "Content-Length": String(Buffer.byteLength(text)),
        "Cache-Control": "no-store",
      },
    });
  },
);

export const healthRoutes: readonly Route<HealthRouteDeps>[] = [healthz, readyz, metrics];
