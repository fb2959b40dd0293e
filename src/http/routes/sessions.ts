import { z } from "@hono/zod-openapi";
import { StoreError } from "../../domain/errors.ts";
import { MAX_SESSION_LIFE_MS, type Session } from "../../domain/session.ts";
import { createSession, deleteSession, type SessionDeps } from "../../operations/sessions.ts";
import type { Login } from "../../ports/token-verifier.ts";
import { answers, json, type Route, type RouteRequest, route } from "../route.ts";
import { createSessionCookie } from "../session-cookie.ts";

export interface SessionRouteDeps extends SessionDeps {
  /** Origin under which clients reach the store. */
  readonly publicUrl: string | undefined;
  /** Undefined: people sign in to the page with keys and share links only. */
  readonly login: Login | undefined;
}

const tag = "Sessions";
const PATH = "/v1/session";
const MIN_LIFE = 60;
const MAX_LIFE = MAX_SESSION_LIFE_MS / 1000;

const signInSchema = z
  .strictObject({
    expiresIn: z.int().min(MIN_LIFE).max(MAX_LIFE).default(MAX_LIFE).openapi({
      description: "Lifetime in seconds. The session also ends with the key, token or share that it was made with.",
    }),
  })
  .openapi("SessionCreate");

const sessionSchema = z
  .strictObject({
    id: z.string().openapi({ description: "Id of the session. Events of its changes have it in `actor`." }),
    kind: z.enum(["key", "share", "token"]).openapi({ description: "What the session was made with." }),
    name: z.string().nullable().openapi({ description: "Its name, or the label of the share." }),
    expiresAt: z.iso.datetime({ precision: 3 }),
  })
  .openapi("Session");
const example = { id: "4kQ9ZrT0bXw2LmNd", kind: "share", name: "Ann", expiresAt: "2026-07-14T21:30:00.000Z" };

const create = route(
  {
    method: "POST",
    path: PATH,
    operationId: "createSession",
    right: "any",
    callers: ["key", "token", "share"],
    summary: "Sign in a page",
    description:
      "Sets a cookie that stands for the key, the token or the share in `Authorization`, for `<img>` and EventSource, which send no " +
      "such header. The cookie counts only in requests that the browser says come from a page of the store's own origin. A session " +
      "that the browser had before ends.",
    tag,
    body: { schema: signInSchema, example: { expiresIn: 3600 }, optional: true },
    responses: { 201: answers("The session.", sessionSchema, example, ["Set-Cookie"]) },
    errors: ["https_required", "forbidden"],
  },
  async (request, deps: SessionRouteDeps) => {
    const { body, caller, identity, raw } = request;
    const cookie = createSessionCookie(deps);
    const setCookie = cookie.signIn(raw);
    const session = await createSession(deps, {
      identity,
      life: body.expiresIn * 1000,
      replaces: cookie.read(raw),
    });
    const left = Math.ceil((Date.parse(session.expiresAt) - deps.now()) / 1000);
    const seconds = Math.max(0, Math.min(body.expiresIn, left));
    return json(201, recordOf(session, caller), {
      "Cache-Control": "no-store",
      "Set-Cookie": setCookie(session.secret, seconds),
    });
  },
);

const recordOf = ({ id, expiresAt }: Session, { kind, name, base }: RouteRequest["caller"]) => ({
  id,
  kind: base?.kind ?? kind,
  name,
  expiresAt,
});

const get = route(
  {
    method: "GET",
    path: PATH,
    operationId: "getSession",
    right: "any",
    callers: ["session"],
    summary: "Get the session of the page",
    description: "Who the page is signed in as, and until when. 404 without a session.",
    tag,
    responses: { 200: answers("The session.", sessionSchema, example) },
    errors: ["session_not_found"],
  },
  ({ caller, identity: { expiresAt } }) => {
    if (caller.kind !== "session" || caller.id === null || expiresAt === null)
      throw new StoreError("session_not_found", "The request came without a session.");
    return json(200, recordOf({ id: caller.id, expiresAt: new Date(expiresAt).toISOString() }, caller));
  },
);

const remove = route(
  {
    method: "DELETE",
    path: PATH,
    operationId: "deleteSession",
    right: "open",
    summary: "Sign out",
    description:
      "Removes the cookie and ends the session: at once on this node, within two seconds on all others. Without a session the " +
      "request changes nothing.",
    tag,
    responses: {
      204: { description: "The session has ended, or there was none.", headers: ["Set-Cookie", "Clear-Site-Data"] },
    },
    errors: ["unavailable", "busy"],
  },
  async ({ raw }, deps: SessionRouteDeps) => {
    const cookie = createSessionCookie(deps);
    const secret = cookie.read(raw);
    if (secret !== undefined) await deleteSession(deps, secret);
    return new Response(null, { status: 204, headers: { "Cache-Control": "no-store", ...cookie.signOut(raw) } });
  },
);

const loginSchema = z
  .strictObject({
    issuer: z.string().openapi({ description: "Issuer of the tokens." }),
    clientId: z.string().openapi({ description: "Id of the page's public client at the issuer." }),
    scope: z.string().openapi({ description: "Scope that the page asks for." }),
    authorizationUrl: z.string().openapi({ description: "The issuer's authorization endpoint." }),
    tokenUrl: z.string().openapi({ description: "The issuer's token endpoint." }),
  })
  .openapi("Login");

const listLogins = route(
  {
    method: "GET",
    path: "/v1/logins",
    operationId: "listLogins",
    right: "open",
    summary: "List where people can sign in",
    description:
      "Where people sign in to the page by an authorization code with PKCE: at the issuer of tokens, or nowhere. The endpoints are those that the " +
      "issuer states by OpenID Connect discovery. With the token that the issuer returns, a client makes a session.",
    tag,
    responses: {
      200: answers(
        "The issuer, or an empty list.",
        z.strictObject({ items: z.array(loginSchema) }).openapi("LoginList"),
        {
          items: [
            {
              issuer: "https://login.example.org",
              clientId: "image-store-page",
              scope: "openid images",
              authorizationUrl: "https://login.example.org/authorize",
              tokenUrl: "https://login.example.org/token",
            },
          ],
        },
        ["Cache-Control"],
      ),
    },
    errors: ["unavailable"],
  },
  async (_request, { login }: SessionRouteDeps) =>
    json(200, { items: login === undefined ? [] : [await login.find()] }, { "Cache-Control": "no-store" }),
);

export const sessionRoutes: readonly Route<SessionRouteDeps>[] = [create, get, remove, listLogins];
