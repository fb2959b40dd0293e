import { z } from "@hono/zod-openapi";
import type { Quota } from "../../domain/quota.ts";
import {
  deleteQuota,
  getQuota,
  listQuotas,
  putQuota,
  type QuotaDeps,
  type QuotaTarget,
} from "../../operations/quotas.ts";
import { namedQuotaSchema, quotaLimitsSchema, quotaSchema } from "../key-schemas.ts";
import { pageOf, pageParameters } from "../listing-schemas.ts";
import { answerPage, pageQuery, pageScope } from "../paging.ts";
import { answers, json, type Route, type RouteDefinition, route } from "../route.ts";

const tag = "Quotas";

const exampleOf = (scope: string) => ({
  scope,
  maxBytes: 10_000_000_000,
  maxImages: null,
  used: { images: 1042, bytes: 3_141_592_653 },
});
const EXAMPLE_ID = "0192e4a0-7c1b-7d3e-9f00-4a5b6c7d8e9f";

const list = route(
  {
    method: "GET",
    path: "/v1/quotas",
    operationId: "listQuotas",
    right: "admin",
    summary: "List quotas",
    description: "Quotas of albums, of keys and of the store, ordered by scope.",
    tag,
    query: z.strictObject({ pageSize: pageParameters.pageSize, pageToken: pageParameters.pageToken }),
    responses: {
      200: answers("A page of quotas.", pageOf(namedQuotaSchema, "QuotaPage"), {
        items: [{ ...exampleOf("store"), name: null }],
        watermark: "MS4yOTUwMDMyMS4xMDQy",
      }),
    },
    errors: ["invalid_page_token"],
  },
  async (request, deps: QuotaDeps) => {
    const scope = pageScope("quotas", request.query);
    const { limit: pageSize, start } = pageQuery(request.query, scope);
    const page = await listQuotas(deps, request.caller, { limit: pageSize, ...(start === undefined ? {} : { start }) });
    return answerPage(request, page, scope);
  },
);

interface Target<Path extends string> {
  readonly path: Path;
  /** Ends the operation ids. */
  readonly name: string;
  readonly of: string;
  readonly example: Quota | ReturnType<typeof exampleOf>;
  readonly errors: RouteDefinition["errors"];
  readonly targetOf: (params: Readonly<Record<string, string>>) => QuotaTarget;
}

/** The routes of one quota. */
function routesOf<const Path extends string>({ path, name, of, example, errors, targetOf }: Target<Path>) {
  const target = (params: object) => targetOf(params as Readonly<Record<string, string>>);
  const get = route(
    {
      method: "GET",
      path,
      operationId: `get${name}Quota`,
      right: "admin",
      summary: `Get the quota of ${of}`,
      tag,
      responses: { 200: answers("The quota, with what is used.", quotaSchema, example) },
      errors: [...errors, "quota_not_found"],
    },
    async ({ caller, params }, deps: QuotaDeps) => json(200, await getQuota(deps, { caller, target: target(params) })),
  );
  const put = route(
    {
      method: "PUT",
      path,
      operationId: `put${name}Quota`,
      right: "admin",
      summary: `Set the quota of ${of}`,
      description:
        "From now on, uploads that exceed it get 507. If it is less than what is used, only growth is refused.",
      tag,
      body: { schema: quotaLimitsSchema, example: { maxBytes: 10_000_000_000 } },
      responses: { 200: answers("The quota, with what is used.", quotaSchema, example) },
      errors,
    },
    async ({ body, caller, params, traceparent }, deps: QuotaDeps) => {
      const { maxBytes = null, maxImages = null } = body;
      return json(200, await putQuota(deps, { caller, target: target(params), traceparent }, { maxBytes, maxImages }));
    },
  );
  const remove = route(
    {
      method: "DELETE",
      path,
      operationId: `delete${name}Quota`,
      right: "admin",
      summary: `Remove the quota of ${of}`,
      tag,
      responses: { 204: { description: "The quota was removed." } },
      errors: [...errors, "quota_not_found"],
    },
    async ({ caller, params, traceparent }, deps: QuotaDeps) => {
      await deleteQuota(deps, { caller, target: target(params), traceparent });
      return new Response(null, { status: 204 });
    },
  );
  return [get, put, remove];
}

export const quotaRoutes: readonly Route<QuotaDeps>[] = [
  list,
  ...routesOf({
    path: "/v1/quotas/store",
    name: "Store",
    of: "the store",
    example: exampleOf("store"),
    errors: [],
    targetOf: () => "store",
  }),
  ...routesOf({
    path: "/v1/quotas/albums/{album}",
    name: "Album",
    of: "an album",
    example: exampleOf(`albums/${EXAMPLE_ID}`),
    errors: ["album_not_found"],
    targetOf: ({ album = "" }) => ({ album }),
  }),
  ...routesOf({
    path: "/v1/quotas/keys/{key}",
    name: "Key",
    of: "an API key",
    example: exampleOf("keys/4Vb0sT9qLx2mZk7R"),
    errors: ["key_not_found"],
    targetOf: ({ key = "" }) => ({ key }),
  }),
];
