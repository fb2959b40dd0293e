import { z } from "@hono/zod-openapi";
import { createKey, getKey, type KeyDeps, listKeys, revokeKey, updateKey } from "../../operations/keys.ts";
import { recordTag, tagPreconditions } from "../conditional.ts";
import { createdKeySchema, keyPatchSchema, keySchema, newKeySchema } from "../key-schemas.ts";
import { booleanParameter, pageOf, pageParameters } from "../listing-schemas.ts";
import { answerPage, pageQuery, pageScope } from "../paging.ts";
import { answerRecord, CHANGED, CREATED } from "../record-answer.ts";
import { answers, jsonText, type Route, route } from "../route.ts";

const tag = "Keys";
const keyPath = (id: string) => `/v1/keys/${encodeURIComponent(id)}`;

const grants = [{ rights: ["read", "transform"], albums: { names: ["client-*"] } }];
const example = {
  id: "6zqkP0aYH3cVbN1w",
  name: "web",
  grants,
  revision: 1,
  createdAt: "2026-07-14T09:30:00.000Z",
  createdBy: { kind: "key", id: "x2BvQ7LmT9sRk4Wd", name: "admin" },
  expiresAt: "2099-01-01T00:00:00.000Z",
  lastUsedAt: null,
  revokedAt: null,
  editable: true,
};
const secret = "imgst_6zqkP0aYH3cVbN1w_…";

const create = route(
  {
    method: "POST",
    path: "/v1/keys",
    operationId: "createKey",
    right: "admin",
    summary: "Create an API key",
    description:
      "Only this response has the secret, so `Idempotency-Key` has no effect. The caller needs every right that the key gets, " +
      "and a key that expires makes no key that lasts longer. The key stays valid when its maker is revoked, unless with " +
      "`recursive=true`. The first key of a store closes it to clients without one.",
    tag,
    body: { schema: newKeySchema, example: { name: "web", grants, expiresAt: "2099-01-01T00:00:00.000Z" } },
    responses: {
      201: answers("The key, with its secret.", createdKeySchema, { ...example, secret }, [
        ...CREATED,
        "Cache-Control",
      ]),
    },
    errors: [],
  },
  async ({ body, caller, traceparent }, deps: KeyDeps) => {
    const { name, expiresAt = null, quota } = body;
    const { secret: shown, ...key } = await createKey(deps, {
      caller,
      name,
      grants: body.grants,
      expiresAt,
      ...(quota === undefined
        ? {}
        : { quota: { maxBytes: quota.maxBytes ?? null, maxImages: quota.maxImages ?? null } }),
      traceparent,
    });
    return jsonText(201, JSON.stringify({ ...key, secret: shown }), {
      ETag: recordTag(key, JSON.stringify(key)),
      "Cache-Control": "no-store",
      "Content-Location": keyPath(key.id),
      Location: keyPath(key.id),
    });
  },
);

const list = route(
  {
    method: "GET",
    path: "/v1/keys",
    operationId: "listKeys",
    right: "admin",
    summary: "List API keys",
    description: "Keys of the configuration come first, by name; then the others, by creation time.",
    tag,
    query: z.strictObject({
      pageSize: pageParameters.pageSize,
      pageToken: pageParameters.pageToken,
      includeRevoked: booleanParameter()
        .optional()
        .openapi({ description: "Whether to list revoked keys too.", default: false }),
    }),
    responses: {
      200: answers(
        "A page of keys.",
        pageOf(keySchema, "KeyPage"),
        { items: [example], nextPageToken: "WzEsIjJr…", watermark: "MS4xLjQy" },
        ["Link"],
      ),
    },
    errors: ["invalid_page_token"],
  },
  async (request, deps: KeyDeps) => {
    const { includeRevoked = false, ...page } = request.query;
    const order = { ...page, orderBy: "createdAt" } as const;
    const scope = pageScope(`listKeys ${includeRevoked}`, order);
    const { limit, start } = pageQuery(order, scope);
    const query = { limit, includeRevoked, ...(start === undefined ? {} : { start }) };
    return answerPage(request, await listKeys(deps, request.caller, query), scope);
  },
);

const get = route(
  {
    method: "GET",
    path: "/v1/keys/{key}",
    operationId: "getKey",
    right: "admin",
    summary: "Get an API key",
    description: "A key of the catalog, revoked or not, or one of the configuration by its name.",
    tag,
    requestHeaders: ["If-None-Match", "If-Match"],
    responses: {
      200: answers("The key.", keySchema, example, ["ETag"]),
      304: { description: "The client's copy is current.", headers: ["ETag"] },
    },
    errors: ["key_not_found", "precondition_failed"],
  },
  async (request, deps: KeyDeps) =>
    answerRecord(request, await getKey(deps, { caller: request.caller, id: request.params.key })),
);

const update = route(
  {
    method: "PATCH",
    path: "/v1/keys/{key}",
    operationId: "updateKey",
    right: "admin",
    summary: "Update an API key",
    description:
      "A merge patch (RFC 7396). The key cannot gain what the caller lacks. When its grants change, its event streams and long polls end.",
    tag,
    body: {
      schema: keyPatchSchema,
      example: { expiresAt: null },
      types: ["application/merge-patch+json", "application/json"],
    },
    requestHeaders: ["If-Match"],
    responses: { 200: answers("The changed key.", keySchema, { ...example, revision: 2 }, CHANGED) },
    errors: ["key_not_found", "key_not_editable", "precondition_failed"],
  },
  async (request, deps: KeyDeps) => {
    const { body, caller, params, raw, traceparent } = request;
    const { name, grants: given, expiresAt } = body;
    const patch = {
      ...(name === undefined ? {} : { name }),
      ...(given === undefined ? {} : { grants: given }),
      ...(expiresAt === undefined ? {} : { expiresAt }),
    };
    const preconditions = tagPreconditions(raw.headers);
    const key = await updateKey(deps, { caller, id: params.key, patch, preconditions, traceparent });
    const text = JSON.stringify(key);
    return jsonText(200, text, { ETag: recordTag(key, text), "Content-Location": keyPath(key.id) });
  },
);

const revoke = route(
  {
    method: "DELETE",
    path: "/v1/keys/{key}",
    operationId: "revokeKey",
    right: "admin",
    summary: "Revoke an API key",
    description:
      "This node refuses the key at once, all others within two seconds. Its event streams and long polls end. The record stays, " +
      "since events name it. Repeating the request changes nothing.",
    tag,
    query: z.strictObject({
      recursive: booleanParameter().optional().openapi({
        description:
          "Whether to revoke, besides the key, those that it made, those that they made, and the shares and tickets of all of them.",
        default: false,
      }),
    }),
    requestHeaders: ["If-Match"],
    responses: { 204: { description: "The key is revoked." } },
    errors: ["key_not_found", "key_not_editable", "precondition_failed"],
  },
  async (request, deps: KeyDeps) => {
    const { caller, params, query, raw, traceparent } = request;
    const preconditions = tagPreconditions(raw.headers);
    await revokeKey(deps, { caller, id: params.key, recursive: query.recursive ?? false, preconditions, traceparent });
    return new Response(null, { status: 204 });
  },
);

export const keyRoutes: readonly Route<KeyDeps>[] = [create, list, get, update, revoke];
