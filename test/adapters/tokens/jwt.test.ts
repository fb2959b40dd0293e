import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createJwtVerifier, type JwtVerifierOptions } from "../../../src/adapters/tokens/jwt.ts";
import { StoreError } from "../../../src/domain/errors.ts";
import { TokenRefusal } from "../../../src/domain/token.ts";
import { AUDIENCE, createSigner, secondsFromNow, type TestSigner } from "../../http/test-tokens.ts";
import { rejectionOf, until } from "../../waiting.ts";
import { startIssuer, type TestIssuer } from "./test-issuer.ts";

let first: TestSigner;
let second: TestSigner;
let issuer: TestIssuer;
beforeAll(async () => {
  [first, second] = await Promise.all([createSigner("ES256", "first"), createSigner("ES256", "second")]);
});
beforeEach(() => {
  issuer?.[Symbol.dispose]();
  issuer = startIssuer([first.publicJwk]);
});
afterAll(() => issuer[Symbol.dispose]());

function open(options: Partial<JwtVerifierOptions> = {}) {
  const told = { loaded: [] as number[], failed: [] as string[], refused: [] as string[] };
  const verifier = createJwtVerifier({
    issuer: issuer.url,
    keys: undefined,
    audiences: [AUDIENCE],
    algorithms: ["ES256", "RS256"],
    types: ["at+jwt", "JWT"],
    observer: {
      loaded: (keys) => void told.loaded.push(keys),
      failed: (error) => void told.failed.push((error as Error).message),
      refused: (reason) => void told.refused.push(reason),
    },
    ...options,
  });
  return Object.assign(verifier, { told });
}
const tokenOf = (signer: TestSigner, claims = {}, header = {}) => signer.sign({ iss: issuer.url, ...claims }, header);

async function refusalOf(work: Promise<unknown>): Promise<string> {
  const error = await rejectionOf(work);
  if (!(error instanceof StoreError)) throw error;
  return error.cause instanceof TokenRefusal ? error.cause.reason : error.code;
}

describe("the keys of an issuer", () => {
  test("are found by discovery, and the first token waits for them", async () => {
    await using verifier = open();
    expect(await verifier.verify(await tokenOf(first))).toMatchObject({ issuer: issuer.url, subject: "ann" });
    expect(verifier.told.loaded).toEqual([1]);
  });

  test("are fetched again for a token of a new key, whose predecessor stays valid while it is there", async () => {
    await using verifier = open({ cooldown: 0 });
    await verifier.verify(await tokenOf(first));
    const { generation } = verifier;
    issuer.keys = [first.publicJwk, second.publicJwk];
    expect(await verifier.verify(await tokenOf(second))).toMatchObject({ subject: "ann" });
    expect(await verifier.verify(await tokenOf(first))).toMatchObject({ subject: "ann" });
    expect(verifier.generation).toBe(generation + 1);
  });

  test("are no longer valid once a regular fetch finds them gone", async () => {
    await using verifier = open({ interval: 10 });
    await verifier.verify(await tokenOf(first));
    issuer.keys = [second.publicJwk];
    await until(async () => {
      try {
        await verifier.verify(await tokenOf(first));
        return false;
      } catch {
        return true;
      }
    });
    expect(verifier.told.refused).toContain("key");
    expect(await verifier.verify(await tokenOf(second))).toMatchObject({ subject: "ann" });
  });

  test("are fetched at once when they are to be loaded again, whatever the cooldown", async () => {
    await using verifier = open({ cooldown: 600_000 });
    await verifier.verify(await tokenOf(first));
    let told = 0;
    const stop = verifier.onChange(() => void told++);
    issuer.keys = [second.publicJwk];
    verifier.reload(undefined);
    await until(() => verifier.generation === 2);
    expect(told).toBe(1);
    stop();
    expect(await refusalOf(verifier.verify(await tokenOf(first)))).toBe("key");
  });

  test("that did not change are no new generation", async () => {
    await using verifier = open({ interval: 5 });
    await until(() => issuer.fetches > 5);
    expect(verifier.generation).toBe(1);
  });

  test("are fetched once for a flood of tokens with unknown keys", async () => {
    await using verifier = open({ cooldown: 600_000 });
    await verifier.verify(await tokenOf(first));
    const tokens = await Promise.all(
      Array.from({ length: 500 }, (_, number) => tokenOf(second, {}, { kid: `unknown-${number}` })),
    );
    const reasons = await Promise.all(tokens.map((token) => refusalOf(verifier.verify(token))));
    expect(new Set(reasons)).toEqual(new Set(["key"]));
    // Only at the start, since when the cooldown lasts.
    expect(issuer.fetches).toBe(1);
  });

  test("are fetched once for tokens with unknown keys that come at once", async () => {
    await using verifier = open({ cooldown: 0 });
    await verifier.verify(await tokenOf(first));
    const tokens = await Promise.all(
      Array.from({ length: 200 }, (_, kid) => tokenOf(second, {}, { kid: String(kid) })),
    );
    const before = issuer.fetches;
    await Promise.all(tokens.map((token) => refusalOf(verifier.verify(token))));
    expect(issuer.fetches).toBe(before + 1);
  });

  test("with keys of other kinds among them are used without those", async () => {
    const symmetric = { kty: "oct", k: "c2VjcmV0c2VjcmV0c2VjcmV0", kid: "first", alg: "HS256" };
    issuer.keys = [symmetric, { kty: "new" }, first.privateJwk, { ...first.publicJwk, kid: "public" }];
    await using verifier = open();
    expect(await verifier.verify(await tokenOf(first, {}, { kid: "public" }))).toMatchObject({ subject: "ann" });
    expect(await refusalOf(verifier.verify(await tokenOf(first)))).toBe("key");
  });
});

/** A space now and then. */
const drip = () =>
  new ReadableStream({
    async pull(controller) {
      await Bun.sleep(5);
      controller.enqueue(new Uint8Array([32]));
    },
  });

describe("an issuer that is down", () => {
  test("at the start lets tokens wait: unavailable, until it responds", async () => {
    issuer.respond = () => new Response(null, { status: 503 });
    await using verifier = open();
    expect(await refusalOf(verifier.verify(await tokenOf(first)))).toBe("unavailable");
    expect(verifier.told.failed[0]).toContain("status 503 instead of 200");
    issuer.respond = undefined;
    await until(() => verifier.told.loaded.length > 0);
    expect(await verifier.verify(await tokenOf(first))).toMatchObject({ subject: "ann" });
  });

  test("later does not lock out the keys that are known", async () => {
    await using verifier = open({ cooldown: 0, interval: 5 });
    await verifier.verify(await tokenOf(first));
    const url = issuer.url;
    issuer[Symbol.dispose]();
    await until(() => verifier.told.failed.length > 1);
    expect(await verifier.verify(await first.sign({ iss: url }))).toMatchObject({ subject: "ann" });
    expect(await refusalOf(verifier.verify(await second.sign({ iss: url })))).toBe("key");
    expect(verifier.generation).toBe(1);
  });

  test.each<[string, () => Response | Promise<Response>]>([
    ["that never comes", () => new Promise<Response>(() => {})],
    ["that comes byte by byte", () => new Response(drip())],
  ])("with an answer %s is given up in time", async (_what, respond) => {
    issuer.respond = respond;
    await using verifier = open({ timeout: 100 });
    await until(() => verifier.told.failed.length > 0);
    expect(verifier.told.failed[0]).toContain("no answer within 100 ms");
  });

  test("with an answer that never ends is given up", async () => {
    issuer.respond = () =>
      new Response(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)) }));
    await using verifier = open();
    await until(() => verifier.told.failed.length > 0);
    expect(verifier.told.failed[0]).toContain("more than 262144 bytes");
  });

  test("with an answer that never comes does not keep the verifier open", async () => {
    issuer.respond = () => new Promise<Response>(() => {});
    const verifier = open();
    const waiting = refusalOf(verifier.verify(await tokenOf(first)));
    await verifier[Symbol.asyncDispose]();
    expect(await waiting).toBe("unavailable");
    expect(verifier.told.failed).toEqual([]);
  });
});

const discovery = (document: unknown) => (path: string) =>
  path === "/jwks" ? Response.json({ keys: [first.publicJwk] }) : Response.json(document);

describe("discovery is refused", () => {
  test.each<[string, () => NonNullable<TestIssuer["respond"]>, string]>([
    [
      "of another issuer",
      () => discovery({ issuer: "https://a.example", jwks_uri: `${issuer.url}/jwks` }),
      "of another issuer",
    ],
    [
      "of an issuer with one slash more",
      () => discovery({ issuer: `${issuer.url}/`, jwks_uri: `${issuer.url}/jwks` }),
      "of another issuer",
    ],
    ["without keys", () => discovery({ issuer: issuer.url }), "jwks_uri must be an https URL"],
    [
      "with keys over plain http elsewhere",
      () => discovery({ issuer: issuer.url, jwks_uri: "http://keys.example.org/jwks" }),
      "jwks_uri must be an https URL",
    ],
    [
      "with keys in a file",
      () => discovery({ issuer: issuer.url, jwks_uri: "file:///etc/passwd" }),
      "jwks_uri must be",
    ],
    ["that is null", () => discovery(null), "of another issuer"],
    ["that is no JSON", () => () => new Response("<html>"), "JSON"],
    ["that redirects", () => () => Response.redirect(`${issuer.url}/elsewhere`, 302), "status 302 instead of 200"],
    [
      "whose keys redirect",
      () => (path) =>
        path === "/jwks"
          ? Response.redirect(`${issuer.url}/other`, 307)
          : Response.json({ issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` }),
      "status 307 instead of 200",
    ],
    [
      "whose keys are no JWKS",
      () => (path) =>
        Response.json(path === "/jwks" ? [first.publicJwk] : { issuer: issuer.url, jwks_uri: `${issuer.url}/jwks` }),
      "is not a JWKS",
    ],
  ])("%s", async (_what, respond, message) => {
    issuer.respond = respond();
    await using verifier = open();
    expect(await refusalOf(verifier.verify(await tokenOf(first)))).toBe("unavailable");
    expect(verifier.told.failed[0]).toContain(message);
  });
});

describe("keys of the configuration", () => {
  test("need no issuer, and can be replaced", async () => {
    await using verifier = open({ issuer: undefined, keys: { keys: [first.publicJwk as never] } });
    const [old, later] = await Promise.all([first.sign({ iss: undefined }), second.sign({ iss: "anything" })]);
    expect(await verifier.verify(old)).toMatchObject({ issuer: undefined, subject: "ann" });
    expect(await refusalOf(verifier.verify(later))).toBe("key");
    verifier.reload({ keys: [second.publicJwk as never] });
    expect(await refusalOf(verifier.verify(old))).toBe("key");
    expect(await verifier.verify(later)).toMatchObject({ issuer: "anything" });
    expect(verifier.generation).toBe(2);
    expect(issuer.fetches).toBe(0);
  });

  test("without a kid serve a token without one, while there is one key of its type", async () => {
    const { kid: _kid, ...nameless } = first.publicJwk;
    await using verifier = open({ keys: { keys: [nameless as never] } });
    const token = await tokenOf(first, {}, { kid: undefined });
    expect(await verifier.verify(token)).toMatchObject({ subject: "ann" });
    verifier.reload({ keys: [nameless as never, second.publicJwk as never] });
    expect(await refusalOf(verifier.verify(token))).toBe("key");
  });
});

test("a token expires at its second, with no leeway", async () => {
  let now = Date.now();
  await using verifier = open({ keys: { keys: [first.publicJwk as never] }, now: () => now });
  const exp = secondsFromNow(100);
  const token = await tokenOf(first, { exp });
  now = exp * 1000 - 1;
  expect(await verifier.verify(token)).toMatchObject({ expiresAt: exp * 1000 });
  now = exp * 1000;
  expect(await refusalOf(verifier.verify(token))).toBe("expired");
  now = exp * 1000 + 31_000;
  expect(await refusalOf(verifier.verify(token))).toBe("expired");
});

test.each([
  ["at+jwt", ["at+jwt"], undefined],
  ["JWT", ["at+jwt"], "type"],
  ["at+jwt", ["JWT"], "type"],
] as const)("a token of the type %s, where %p is demanded: %p", async (typ, types, reason) => {
  await using verifier = open({ keys: { keys: [first.publicJwk as never] }, types });
  const verified = verifier.verify(await tokenOf(first, {}, { typ }));
  if (reason === undefined) expect(await verified).toMatchObject({ subject: "ann" });
  else expect(await refusalOf(verified)).toBe(reason);
});

test("an issuer with a # is refused: its subjects could be another issuer's", async () => {
  await using verifier = open({ issuer: undefined, keys: { keys: [first.publicJwk as never] } });
  expect(await refusalOf(verifier.verify(await first.sign({ iss: "https://a#b" })))).toBe("issuer");
});
