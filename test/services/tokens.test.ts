import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac, createPublicKey } from "node:crypto";
import pino from "pino";
import { startStore, type TestStore } from "../http/harness.ts";
import { testKeys } from "../http/test-keys.ts";
import { bearer } from "../http/test-tokens.ts";
import { mutateTokens } from "../http/token-mutations.ts";
import { until } from "../waiting.ts";
import { freePort } from "./free-ports.ts";
import { type OidcProvider, providerKey, RESOURCE, startProvider } from "./oidc-provider.ts";

const RULES = '[{"claim":"scope","has":"images","rights":["read","write"],"albums":["u-{sub}-*"]}]';
const keys = testKeys({ boss: "read+admin" });
const [first, second] = [providerKey("RS256", "first"), providerKey("ES256", "second")];

/** A store that accepts the issuer's tokens, with its log. */
async function startFor(issuer: string, settings: Readonly<Record<string, string>> = {}) {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ level: "info" }, { write: (line) => void lines.push(JSON.parse(line)) });
  const tokens = { JWT_ISSUER: issuer, JWT_AUDIENCE: RESOURCE, JWT_RULES: RULES, API_KEYS: keys.API_KEYS };
  const store = await startStore({ ...tokens, ...settings }, { logger, issuerKeys: { cooldown: 0, interval: 50 } });
  return Object.assign(store, {
    lines,
    statusOf: async (token: string, path = "/v1/albums") =>
      (await store.fetch(path, { headers: bearer(token) })).status,
    /** Other lines may come between, such as that the issuer's keys were fetched again. */
    refusal: () => lines.findLast((line) => "reason" in line)?.["reason"],
  });
}
type TokenStore = Awaited<ReturnType<typeof startFor>>;

const failures = async (store: TestStore): Promise<number> => {
  const metrics = await (await store.fetch("/metrics", { headers: keys.bearer("boss") })).text();
  return Number(/^image_store_jwt_key_fetch_failures_total (\d+)$/m.exec(metrics)?.[1]);
};

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

describe("with a real provider", () => {
  let provider: OidcProvider;
  let store: TokenStore;
  beforeAll(async () => {
    provider = await startProvider({ keys: [first] });
    store = await startFor(provider.issuer);
  });
  afterAll(async () => {
    await store[Symbol.asyncDispose]();
    await provider[Symbol.asyncDispose]();
  });

  test("users who sign in to an application have albums of their own", async () => {
    const [ann, bob] = await Promise.all([provider.signIn("ann"), provider.signIn("bob")]);
    const create = (token: string, name: string) => store.send("POST", "/v1/albums", { name }, bearer(token));
    expect((await create(ann.accessToken, "u-ann-photos")).status).toBe(201);
    expect((await create(bob.accessToken, "u-ann-photos")).status).toBe(403);
    expect(await store.statusOf(ann.accessToken, "/v1/albums/u-ann-photos")).toBe(200);
    expect(await store.statusOf(bob.accessToken, "/v1/albums/u-ann-photos")).toBe(404);
  });

  test("an application has albums of its own, and nothing without the scope", async () => {
    for (const [scope, status] of [
      ["other", 403],
      ["images", 201],
    ] as const) {
      const headers = bearer(await provider.clientToken({ scope }));
      expect((await store.fetch("/v1/albums/u-app-a", { method: "PUT", headers })).status).toBe(status);
    }
  });

  test("an ID token is 401, even where the application is an audience of the store", async () => {
    const { idToken, accessToken } = await provider.signIn("ann");
    expect(await store.statusOf(idToken)).toBe(401);
    await using other = await startFor(provider.issuer, { JWT_AUDIENCE: `app,${RESOURCE}` });
    expect(await other.statusOf(accessToken)).toBe(200);
    expect(await other.statusOf(idToken)).toBe(401);
  });

  test("a token for another resource is 401", async () => {
    expect(await store.statusOf(await provider.clientToken({ resource: "https://billing.example.org" }))).toBe(401);
    expect(store.refusal()).toBe("audience");
  });

  test("a token of another provider is 401", async () => {
    await using other = await startProvider({ keys: [first] });
    expect(await store.statusOf(await other.clientToken())).toBe(401);
    expect(store.refusal()).toBe("issuer");
  });

  test("a token becomes 401 when it expires, also one that was accepted before", async () => {
    await using brief = await startProvider({ keys: [first], lifetime: 5 });
    await using other = await startFor(brief.issuer);
    const token = await brief.clientToken();
    expect(await other.statusOf(token)).toBe(200);
    await until(async () => (await other.statusOf(token)) === 401, 50);
    expect(other.refusal()).toBe("expired");
    const { exp } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as { exp: number };
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
  });

  test("algorithms cannot be confused: an HMAC with the public key, none, and another family are 401", async () => {
    const token = await provider.clientToken();
    const [header = "", payload = "", signature = ""] = token.split(".");
    const stated = JSON.parse(Buffer.from(header, "base64url").toString()) as object;
    const publicKey = createPublicKey({ key: first as never, format: "jwk" });
    const secrets = [
      publicKey.export({ format: "pem", type: "spki" }),
      publicKey.export({ format: "der", type: "spki" }),
      JSON.stringify(publicKey.export({ format: "jwk" })),
    ];
    const tokens = secrets.flatMap((secret) =>
      ["HS256", "HS384", "HS512"].map((alg) => {
        const signed = `${encode({ ...stated, alg })}.${payload}`;
        return `${signed}.${createHmac(alg.replace("HS", "sha"), secret).update(signed).digest("base64url")}`;
      }),
    );
    tokens.push(
      ...["none", "ES256", "PS256", "RS384"].map((alg) => `${encode({ ...stated, alg })}.${payload}.${signature}`),
    );
    tokens.push(`${encode({ ...stated, alg: "none" })}.${payload}.`);
    for (const forged of tokens) expect([forged, await store.statusOf(forged)]).toEqual([forged, 401]);
    expect(await store.statusOf(token)).toBe(200);
  });

  test("of 10,000 mutated tokens, none is accepted", async () => {
    const signedIn = await Promise.all(["ann", "bob", "eve"].map((login) => provider.signIn(login)));
    const tokens = [...signedIn.map(({ accessToken }) => accessToken), await provider.clientToken()];
    for (const token of tokens) expect(await store.statusOf(token)).toBe(200);
    const waiting = [...mutateTokens(tokens, 10_000)];
    const accepted: unknown[] = [];
    const send = async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        const response = await fetch(`${store.url}/v1/albums`, { headers: bearer(next[0]) });
        await response.arrayBuffer();
        if (response.status !== 401) accepted.push([response.status, ...next]);
      }
    };
    await Promise.all(Array.from({ length: 32 }, send));
    expect(accepted).toEqual([]);
  });
});

test("keys can be rotated: tokens of the new key are accepted, and those of the old until it is withdrawn", async () => {
  const port = await freePort();
  const startWith = (...signing: Parameters<typeof startProvider>[0]["keys"]) => startProvider({ keys: signing, port });
  let provider = await startWith(first);
  await using store = await startFor(provider.issuer);
  const old = await provider.clientToken();
  expect(await store.statusOf(old)).toBe(200);
  await provider[Symbol.asyncDispose]();

  provider = await startWith(second, first);
  const later = await provider.clientToken();
  expect(await store.statusOf(later)).toBe(200);
  expect(await store.statusOf(old)).toBe(200);
  await provider[Symbol.asyncDispose]();

  provider = await startWith(second);
  // It was accepted before, and has not expired.
  await until(async () => (await store.statusOf(old)) === 401);
  expect(store.refusal()).toBe("key");
  expect(await store.statusOf(later)).toBe(200);
  await provider[Symbol.asyncDispose]();
});

test("a provider that is down at the start is told once; tokens are 503 until it responds, and keys work", async () => {
  const port = await freePort();
  await using store = await startFor(`http://127.0.0.1:${port}`);
  await until(async () => (await failures(store)) > 2);
  const forged = "eyJhbGciOiJSUzI1NiJ9.e30.AAAA";
  const refused = await store.fetch("/v1/albums", { headers: bearer(forged) });
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await refused.json()).toMatchObject({ code: "unavailable" });
  expect((await store.fetch("/v1/albums", { headers: keys.bearer("boss") })).status).toBe(200);
  const warnings = store.lines.filter(({ msg }) =>
    String(msg).startsWith("keys of the token issuer could not be fetched"),
  );
  expect(warnings).toHaveLength(1);

  await using provider = await startProvider({ keys: [first], port });
  const token = await provider.clientToken();
  await until(async () => (await store.statusOf(token)) === 200);
  expect(store.lines.map(({ msg }) => msg)).toContain("keys of the token issuer were fetched again");
});

test("a provider that goes down later does not lock out the tokens of known keys", async () => {
  const provider = await startProvider({ keys: [first] });
  const [seen, unseen] = [await provider.clientToken(), await provider.clientToken()];
  await using other = await startProvider({ keys: [second] });
  await using store = await startFor(provider.issuer);
  expect(await store.statusOf(seen)).toBe(200);
  await provider[Symbol.asyncDispose]();
  await until(async () => (await failures(store)) > 2);
  expect(await store.statusOf(seen)).toBe(200);
  expect(await store.statusOf(unseen)).toBe(200);
  expect(await store.statusOf(await other.clientToken())).toBe(401);
});
