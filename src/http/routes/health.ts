import { z } from "@hono/zod-openapi";
import { type ReadinessNeeds, readiness } from "../../operations/readiness.ts";
import { answers, json, type Route, route } from "../route.ts";

export interface HealthNeeds extends ReadinessNeeds {
  /** All metrics in the text format of Prometheus. */
  readonly metrics: () => Promise<string>;
}

const TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8";
const aliveSchema = z.strictObject({ status: z.literal("ok") }).openapi("Alive");
const ok = z.literal("ok");
const readySchema = z
  .strictObject({ status: z.literal("ready"), checks: z.strictObject({ catalog: ok, blobs: ok, disk: ok }) })
  .openapi("Ready");

const healthz = route<HealthNeeds, "/healthz">(
  {
    method: "GET",
    path: "/healthz",
    operationId: "getHealth",
    right: "open",
    summary: "Whether the process lives",
    tag: "Operation",
    responses: { 200: answers("It does.", aliveSchema, { status: "ok" }) },
    errors: [],
  },
  () => json(200, { status: "ok" }),
);

const readyz = route<HealthNeeds, "/readyz">(
  {
    method: "GET",
    path: "/readyz",
    operationId: "getReadiness",
    right: "open",
    summary: "Whether requests would succeed",
    description: "The catalog answers, blobs can be written, and there is room for uploads. `checks` says what failed.",
    tag: "Operation",
    responses: {
      200: answers("They would.", readySchema, { status: "ready", checks: { catalog: "ok", blobs: "ok", disk: "ok" } }),
    },
    errors: ["unavailable"],
  },
  async (_request, needs) => json(200, { status: "ready", checks: await readiness(needs) }),
);

const metrics = route<HealthNeeds, "/metrics">(
  {
    method: "GET",
    path: "/metrics",
    operationId: "getMetrics",
    right: "admin",
    summary: "Metrics for Prometheus",
    description: "Open on a store without API keys.",
    tag: "Operation",
    responses: { 200: { description: "The text format.", content: { "text/plain": { schema: "text" } } } },
    errors: [],
  },
  async (_request, needs) => {
    const text = await needs.metrics();
    return new Response(text, {
      headers: {
        "Content-Type": TEXT_FORMAT,
        "Content-Length": String(Buffer.byteLength(text)),
        "Cache-Control": "no-store",
      },
    });
  },
);

export const healthRoutes: readonly Route<HealthNeeds>[] = [healthz, readyz, metrics];
