import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { testKeys } from "./test-keys.ts";
import {
  AUDIENCE,
  bearer,
  createSigner,
  ISSUER,
  secondsFromNow,
  type TestSigner,
  tokenSettings,
  validClaims,
} from "./test-tokens.ts";

const keys = testKeys({ boss: "read+write+events+admin" });
const IMAGE = Bun.file(join(import.meta.dir, "../../docs/dusk.jpg"));
let folder: string;
let signer: TestSigner;
let store: TestStore;
/** Of the log: one for each request. */
const logged: string[] = [];
/** Beside it there may be a line of a worker. */
const loggedRequest = () =>
  logged.map((line) => JSON.parse(line) as { readonly msg: string }).find(({ msg }) => msg === "request");
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "image-store-tokens-"));
  signer = await createSigner();
  const settings = await tokenSettings(join(folder, "jwks.json"), [signer]);
  const logger = pino({ level: "info" }, { write: (line) => void logged.push(line) });
  store = await startStore({ ...settings, API_KEYS: keys.API_KEYS }, { logger });
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const statusOf = async (token: string, path = "/v1/albums"): Promise<number> =>
  (await store.fetch(path, { headers: bearer(token) })).status;

const createOnce = async (sub: string) =>
  store.send(
    "POST",
    "/v1/albums",
    { name: `u-${sub}-i` },
    { ...bearer(await signer.sign({ sub })), "Idempotency-Key": "one" },
  );

const me = async (claims: Readonly<Record<string, unknown>>): Promise<unknown> =>
  (await store.fetch("/v1/me", { headers: bearer(await signer.sign(claims)) })).json();

describe("a valid token", () => {
  test("may do what the rules grant, in its own albums only", async () => {
    const [ann, bob] = await Promise.all([signer.sign(), signer.sign({ sub: "bob" })]);
    const create = (token: string, name: string) => store.send("POST", "/v1/albums", { name }, bearer(token));
    expect((await create(ann, "u-ann-photos")).status).toBe(201);
    expect((await create(bob, "u-bob-photos")).status).toBe(201);
    expect((await create(bob, "u-ann-other")).status).toBe(403);
    const image = "/v1/albums/u-ann-photos/images/dusk/content";
    const put = (token: string) => store.fetch(image, { method: "PUT", headers: bearer(token), body: IMAGE });
    expect((await put(ann)).status).toBe(201);
    expect((await put(bob)).status).toBe(404);
    expect(await statusOf(ann, image)).toBe(200);
    expect(await statusOf(bob, image)).toBe(404);
    const listing = await store.fetch("/v1/albums", { headers: bearer(bob) });
    expect((await jsonOf<{ items: { name: string }[] }>(listing)).items.map(({ name }) => name)).toEqual([
      "u-bob-photos",
    ]);
  });

  test("is the actor of its events, by issuer and subject and without the token", async () => {
    const token = await signer.sign({ sub: "eve" });
    expect((await store.fetch("/v1/albums/u-eve-a", { method: "PUT", headers: bearer(token) })).status).toBe(201);
    const response = await store.fetch("/v1/events?limit=1000", { headers: keys.bearer("boss") });
    const text = await response.text();
    const { items } = JSON.parse(text) as { items: { data: { name: string; actor: unknown } }[] };
    expect(items.find(({ data }) => data.name === "u-eve-a")?.data.actor).toEqual({
      kind: "token",
      id: "https://login.example.org#eve",
      name: "eve",
    });
    expect(text).not.toContain(token.slice(-40));
  });

  test("learns from /v1/me what it may do and until when", async () => {
    const exp = secondsFromNow(60);
    expect(await me({ exp })).toMatchObject({
      caller: { kind: "token", id: `${ISSUER}#ann`, name: "ann" },
      grants: [{ rights: ["read", "write", "delete", "events"], albums: { names: ["u-ann-*"] } }],
      expiresAt: new Date(exp * 1000).toISOString(),
    });
    expect(await me({ sub: "ann-lee" })).toMatchObject({ grants: [] });
    // Later than any time that can be written.
    expect(await me({ exp: 1e300 })).toMatchObject({ expiresAt: "9999-12-31T23:59:59.999Z" });
  });

  test("for which no rule has a grant sees what is public, and for the rest is 403, not 401", async () => {
    const headers = bearer(await signer.sign({ scope: "openid" }));
    expect(await (await store.fetch("/v1/albums", { headers })).json()).toMatchObject({ items: [] });
    const response = await store.fetch("/v1/events", { headers });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: "forbidden", missing: ["events"] });
    expect(response.headers.get("www-authenticate")).toContain('error="insufficient_scope"');
  });

  test.each<[string, Readonly<Record<string, unknown>>]>([
    ["the type JWT", { typ: "JWT" }],
    ["the type application/at+jwt", { typ: "application/AT+JWT" }],
  ])("may have %s", async (_what, header) => {
    expect(await statusOf(await signer.sign({}, header))).toBe(200);
  });

  test.each([
    ["issued by a clock that is 29 seconds ahead", () => ({ iat: secondsFromNow(29), nbf: secondsFromNow(29) })],
    ["for several audiences", () => ({ aud: ["other", AUDIENCE] })],
    ["without the time of its issue", () => ({ iat: undefined })],
  ])("%s is accepted", async (_what, claims) => {
    expect(await statusOf(await signer.sign(claims()))).toBe(200);
  });

  test("has idempotency keys of its own", async () => {
    expect((await createOnce("fay")).status).toBe(201);
    expect((await createOnce("gus")).status).toBe(201);
    expect((await createOnce("fay")).headers.get("idempotent-replayed")).toBe("true");
  });

  test("ends its event stream when it expires", async () => {
    const token = await signer.sign({ exp: secondsFromNow(6) });
    const response = await store.fetch("/v1/events/stream?after=latest", { headers: bearer(token) });
    expect(response.status).toBe(200);
    expect(await response.text()).toContain(": heartbeat");
    expect(await statusOf(token)).toBe(401);
  });
});

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

async function withHeader(header: object): Promise<string> {
  const [, payload, signature] = (await signer.sign()).split(".");
  return `${encode({ alg: "ES256", typ: "at+jwt", kid: "ES256-key", ...header })}.${payload}.${signature}`;
}

function hmacWith(secret: string | Buffer): string {
  const signed = `${encode({ alg: "HS256", typ: "at+jwt", kid: "ES256-key" })}.${encode(validClaims())}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

async function signedByOwnKey(): Promise<string> {
  const own = await createSigner();
  return own.sign({}, { jwk: own.publicJwk, jku: "http://127.0.0.1:1/jwks.json" });
}

describe("a token is 401", () => {
  test.each<[string, string, () => Promise<string> | string]>([
    ["that expired a second ago", "expired", () => signer.sign({ exp: secondsFromNow(-1) })],
    ["that expired a minute ago", "expired", () => signer.sign({ exp: secondsFromNow(-60) })],
    ["without a time of expiry", "malformed", () => signer.sign({ exp: undefined })],
    ["whose time of expiry is a text", "malformed", () => signer.sign({ exp: "9999999999" })],
    ["that is valid in 40 seconds", "not_yet_valid", () => signer.sign({ nbf: secondsFromNow(40) })],
    ["that was issued 40 seconds from now", "not_yet_valid", () => signer.sign({ iat: secondsFromNow(40) })],
    ["of another audience", "audience", () => signer.sign({ aud: "billing" })],
    ["whose audience begins like the store's", "audience", () => signer.sign({ aud: `${AUDIENCE}-2` })],
    ["without an audience", "audience", () => signer.sign({ aud: undefined })],
    ["of another issuer", "issuer", () => signer.sign({ iss: "https://login.example.com" })],
    ["whose issuer has one slash more", "issuer", () => signer.sign({ iss: `${ISSUER}/` })],
    ["without an issuer", "issuer", () => signer.sign({ iss: undefined })],
    ["without a subject", "subject", () => signer.sign({ sub: undefined })],
    ["with an empty subject", "subject", () => signer.sign({ sub: "" })],
    ["whose subject is a number", "subject", () => signer.sign({ sub: 1 })],
    ["whose subject has a line break", "subject", () => signer.sign({ sub: "ann\nbob" })],
    ["whose subject reverses the text after it", "subject", () => signer.sign({ sub: "ann\u202e" })],
    ["whose subject has 256 characters", "subject", () => signer.sign({ sub: "a".repeat(256) })],
    ["of no type", "type", () => signer.sign({}, { typ: undefined })],
    ["of another type", "type", () => signer.sign({}, { typ: "logout+jwt" })],
    ["with a nonce, as ID tokens have", "id_token", () => signer.sign({ nonce: "n" })],
    ["with the hash of an access token, as ID tokens have", "id_token", () => signer.sign({ at_hash: "h" })],
    ["with the hash of a code, as ID tokens have", "id_token", () => signer.sign({ c_hash: "h" })],
    ["that calls itself an ID token", "id_token", () => signer.sign({ token_use: "id" })],
    ["that is bound to a key of its client", "bound", () => signer.sign({ cnf: { jkt: "0ZcOCORZNYy" } })],
    ["of a key that the store does not have", "key", async () => (await createSigner("ES256", "other")).sign()],
    ["of another key with the same kid", "signature", async () => (await createSigner()).sign()],
    ["that brings its own key", "signature", () => signedByOwnKey()],
    ["with another kid", "key", () => signer.sign({}, { kid: "other" })],
    [
      "of a key of another type with the same kid",
      "key",
      async () => (await createSigner("RS256", "ES256-key")).sign(),
    ],
    ["by an algorithm that is not allowed", "algorithm", async () => (await createSigner("ES384")).sign()],
    ["with an extension that the store does not know", "malformed", () => withHeader({ crit: ["x"], x: 1 })],
    ["whose payload is not encoded", "signature", () => withHeader({ crit: ["b64"], b64: false })],
    ["without a signature", "malformed", async () => (await signer.sign()).replace(/[^.]+$/, "")],
    ["by the algorithm none", "malformed", () => `${encode({ alg: "none", typ: "JWT" })}.${encode(validClaims())}.`],
    ["by the algorithm none with a signature", "algorithm", () => withHeader({ alg: "none" })],
    ["by an HMAC with the public key", "algorithm", () => hmacWith(JSON.stringify(signer.publicJwk))],
    ["by an HMAC with x", "algorithm", () => hmacWith(Buffer.from(signer.publicJwk.x ?? "", "base64url"))],
  ])("%s", async (_what, reason, make) => {
    const token = await make();
    logged.length = 0;
    const response = await store.fetch("/v1/albums", { headers: bearer(token) });
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe('Bearer realm="image-store", error="invalid_token"');
    // The same for every reason.
    expect(await response.json()).toMatchObject({ code: "unauthorized", detail: "The token is not valid." });
    expect(loggedRequest()).toMatchObject({ status: 401, reason });
    expect(logged.join("")).not.toContain(token.slice(-40));
  });

  test.each([
    ["without its last part", (token: string) => token.replace(/\.[^.]+$/, "")],
    ["with a fourth part", (token: string) => `${token}.x`],
  ])("%s, as a key that is not valid", async (_what, change) => {
    expect(await statusOf(change(await signer.sign()))).toBe(401);
  });
});

test("the log has what a refused token says of itself, cut and without control characters", async () => {
  logged.length = 0;
  const claims = { iss: `\u001b[31m${"i".repeat(500)}` };
  expect(await statusOf(await signer.sign(claims, { kid: "\u0007kid" }))).toBe(401);
  expect(loggedRequest()).toMatchObject({
    reason: "key",
    token: { kid: "?kid", iss: `?[31m${"i".repeat(123)}` },
  });
});

test("refused tokens are counted by reason", async () => {
  expect(await statusOf(await signer.sign({ aud: "billing" }))).toBe(401);
  const metrics = await (await store.fetch("/metrics", { headers: keys.bearer("boss") })).text();
  expect(metrics).toMatch(/^image_store_jwt_refused_total\{reason="audience"\} [1-9]/m);
  expect(metrics).toMatch(/^image_store_jwt_keys 1$/m);
});

test("a second Authorization header does not help: 401", async () => {
  const [token, other] = [await signer.sign(), await signer.sign({ sub: "bob" })];
  const key = keys.bearer("boss").Authorization;
  for (const [one, two] of [
    [`Bearer ${token}`, `Bearer ${other}`],
    [`Bearer ${token}`, key],
    [key, `Bearer ${token}`],
    [`Bearer ${token}`, `Bearer ${token}`],
    [key, "Basic YTpi"],
  ]) {
    const lines = `GET /v1/albums HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: ${one}\r\nAuthorization: ${two}\r\n\r\n`;
    expect((await store.sendRaw(lines)).text).toStartWith("HTTP/1.1 401 ");
  }
});

test("a token in the query is an unknown parameter: 400", async () => {
  const token = await signer.sign();
  for (const name of ["access_token", "token", "key"]) {
    for (const headers of [keys.bearer("boss"), {}]) {
      const response = await store.fetch(`/v1/albums?${name}=${token}`, { headers });
      expect(response.status).toBe(400);
      expect(await response.text()).not.toContain(token);
    }
  }
});
