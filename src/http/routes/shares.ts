import { z } from "@hono/zod-openapi";
import { StoreError } from "../../domain/errors.ts";
import type { PageQuery } from "../../domain/page.ts";
import { DEFAULT_SHARE_LIFE_MS } from "../../domain/share.ts";
import {
  createShare,
  getShare,
  listShares,
  openShare,
  revokeShare,
  type ShareDeps,
  type SharedAlbum,
} from "../../operations/shares.ts";
import { pageOf, pageParameters } from "../listing-schemas.ts";
import { answerPage, pageQuery, pageScope } from "../paging.ts";
import { answers, json, type Route, type RouteRequest, route } from "../route.ts";
import { newShareSchema, openedShareSchema, shareSchema, shareWishSchema } from "../share-schemas.ts";
import { answerPageDocument, type PageRouteDeps, wantsPage } from "./page.ts";

export interface ShareRouteDeps extends ShareDeps, PageRouteDeps {
  /** Origin under which clients reach the store. */
  readonly publicUrl: string | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const tag = "Share links";

const exampleShare = {
  id: "4kQ9ZrT0bXw2LmNd",
  albumId: "0192e4a0-7c1b-7d3e-9f00-4a5b6c7d8e9f",
  album: "Summer 2026",
  label: "Ann",
  rights: ["read"],
  originals: false,
  createdAt: "2026-07-14T09:30:00.000Z",
  createdBy: { kind: "key", id: "studio", name: "studio" },
  expiresAt: "2026-08-13T09:30:00.000Z",
  uses: 0,
  lastUsedAt: null,
};

const recordOf = ({ share: { id, albumId, ...share }, album }: SharedAlbum) => ({
  id,
  albumId,
  album: album.name,
  ...share,
});

const create = route(
  {
    method: "POST",
    path: "/v1/albums/{album}/shares",
    operationId: "createShare",
    right: ["read", "share"],
    summary: "Share an album by a link",
    description:
      "The holders of the link see the album without a key. Make one for each person, so that each can be revoked and events " +
      "name the person. The caller needs every right that the link gives. Only this response has the secret, so " +
      "`Idempotency-Key` has no effect.",
    tag,
    body: { schema: shareWishSchema, example: { label: "Ann", rights: ["read"], originals: false }, optional: true },
    responses: {
      201: answers("The share, with its secret.", newShareSchema, {
        ...exampleShare,
        url: "https://images.example.org/s/imgsh_4kQ9ZrT0bXw2LmNd_8Yw3…",
        secret: "imgsh_4kQ9ZrT0bXw2LmNd_8Yw3…",
      }),
    },
    errors: ["album_not_found", "original_not_shared"],
  },
  async ({ body, caller, params, traceparent }, deps: ShareRouteDeps) => {
    const { label, rights, originals } = body;
    const expiresAt = expiryOf(body.expiresAt, deps.now());
    const wish = { caller, album: params.album, label, rights, originals, expiresAt, traceparent };
    const { secret, ...shared } = await createShare(deps, wish);
    const url = `${deps.publicUrl ?? ""}/s/${secret}`;
    return json(201, { ...recordOf(shared), url, secret }, { "Cache-Control": "no-store" });
  },
);

/** @throws StoreError `invalid_request` */
function expiryOf(text: string | null | undefined, now: number): number | null {
  if (text === undefined) return now + DEFAULT_SHARE_LIFE_MS;
  if (text === null) return null;
  const time = Date.parse(text);
  if (time > now) return time;
  throw new StoreError("invalid_request", "expiresAt is in the past.", {
    errors: [{ pointer: "/expiresAt", detail: "must be in the future, or null" }],
  });
}

const ORDER: { readonly orderBy: PageQuery<"createdAt">["orderBy"] } = { orderBy: "createdAt" };

const list = route(
  {
    method: "GET",
    path: "/v1/albums/{album}/shares",
    operationId: "listShares",
    right: "share",
    summary: "List the shares of an album",
    description: "By creation time, without secrets. Expired shares are listed, revoked ones are not.",
    tag,
    query: z.strictObject({ pageSize: pageParameters.pageSize, pageToken: pageParameters.pageToken }),
    responses: {
      200: answers(
        "A page of shares.",
        pageOf(shareSchema, "SharePage"),
        { items: [exampleShare], watermark: "MS4xLjQy" },
        ["Link"],
      ),
    },
    errors: ["album_not_found", "invalid_page_token"],
  },
  async (request, deps: ShareRouteDeps) => {
    const { caller, params, query } = request;
    let scope = "";
    const page = await listShares(deps, { caller, album: params.album }, ({ id }) => {
      scope = pageScope("listShares", { ...query, ...ORDER }, id);
      return pageQuery({ ...query, ...ORDER }, scope);
    });
    return answerPage(request, { ...page, items: page.items.map(recordOf) }, scope);
  },
);

const get = route(
  {
    method: "GET",
    path: "/v1/albums/{album}/shares/{share}",
    operationId: "getShare",
    right: "share",
    summary: "Get a share",
    tag,
    responses: { 200: answers("The share, without its secret.", shareSchema, exampleShare) },
    errors: ["album_not_found", "share_not_found"],
  },
  async ({ caller, params }, deps: ShareRouteDeps) =>
    json(200, recordOf(await getShare(deps, { caller, album: params.album, id: params.share }))),
);

const revoke = route(
  {
    method: "DELETE",
    path: "/v1/albums/{album}/shares/{share}",
    operationId: "revokeShare",
    right: "share",
    summary: "Revoke a share",
    description: "This node refuses the link at once, all others within two seconds. Sessions made with it end too.",
    tag,
    responses: { 204: { description: "The share was revoked." } },
    errors: ["album_not_found", "share_not_found"],
  },
  async ({ caller, params, traceparent }, deps: ShareRouteDeps) => {
    await revokeShare(deps, { caller, album: params.album, id: params.share, traceparent });
    return new Response(null, { status: 204 });
  },
);

/** The URL is the secret: it goes to no other site, into no cache and into no index. */
const SECRET_URL_HEADERS = {
  "Cache-Control": "no-store",
  "Referrer-Policy": "no-referrer",
  "X-Robots-Tag": "noindex, nofollow",
};

const NOTHING = "default-src 'none'; frame-ancestors 'none'";

const open = route(
  {
    method: "GET",
    path: "/s/{secret}",
    operationId: "openShare",
    right: "open",
    caller: "share",
    summary: "Open a share link",
    description:
      "Returns the album, label, rights and expiry of the link. To use it, send the secret as `Authorization: Bearer`, or sign in with it at `/v1/session`. " +
      "A link that has expired or was revoked is 404. Browsers get the page, which signs in with the link.",
    tag,
    takesAnyQuery: true,
    alternatives: { "text/html": { verb: "returns", operationId: "getPage" } },
    responses: {
      200: answers(
        "The album, label, rights and expiry of the link.",
        openedShareSchema,
        {
          album: "Summer 2026",
          title: null,
          label: "Ann",
          rights: ["read"],
          originals: false,
          expiresAt: "2026-08-13T09:30:00.000Z",
        },
        ["X-Robots-Tag", "Vary"],
      ),
    },
    errors: ["share_not_found", "unavailable", "busy"],
  },
  async (request: RouteRequest<{ readonly secret: string }>, deps: ShareRouteDeps) => {
    if (wantsPage(request, deps)) return answerPageDocument(request, deps, { ...SECRET_URL_HEADERS, Vary: "Accept" });
    const { share, album } = await openShare(deps, request.params.secret);
    const { label, rights, originals, expiresAt } = share;
    const opened = { album: album.name, title: album.title, label, rights, originals, expiresAt };
    return json(200, opened, { ...SECRET_URL_HEADERS, Vary: "Accept", "Content-Security-Policy": NOTHING });
  },
);

export const shareRoutes: readonly Route<ShareRouteDeps>[] = [create, list, get, revoke, open];
