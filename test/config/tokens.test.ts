import { describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { EXAMPLE_RULES } from "../../src/config/token-rules.ts";
import { ConfigError, parseConfig, requireClosed } from "../../src/config.ts";

const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const publicJwk = pair.publicKey.export({ format: "jwk" });
const privateJwk = pair.privateKey.export({ format: "jwk" });
const FILES: Readonly<Record<string, string>> = {
  "jwks.json": JSON.stringify({ keys: [{ ...publicJwk, kid: "one" }] }),
  "rules.json": EXAMPLE_RULES,
};
const readFile = (path: string): string => {
  const text = FILES[path];
  if (text === undefined) throw new Error(`ENOENT: no such file, open '${path}'`);
  return text;
};

function parse(env: Readonly<Record<string, string>>, files: Readonly<Record<string, string>> = {}) {
  const prefixed = Object.fromEntries(Object.entries(env).map(([name, value]) => [`IMAGE_STORE_${name}`, value]));
  return parseConfig({ env: prefixed, readFile: (path) => files[path] ?? readFile(path) });
}

function problemsOf(...source: Parameters<typeof parse>): readonly string[] {
  try {
    parse(...source);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

const valid = { JWT_ISSUER: "https://login.example.org", JWT_AUDIENCE: "images", JWT_RULES: EXAMPLE_RULES };
const fromFile = { JWT_KEYS_FILE: "jwks.json", JWT_AUDIENCE: "images", JWT_RULES: "rules.json" };

describe("the configuration of tokens", () => {
  test("has safe defaults", () => {
    expect(parse(valid).tokens).toMatchObject({
      issuer: "https://login.example.org",
      keys: undefined,
      audiences: ["images"],
      algorithms: ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"],
      types: ["at+jwt", "JWT"],
    });
    expect(parse({}).tokens).toBeUndefined();
  });

  test("reads rules from the setting or from the file that it names", () => {
    const inline = parse(valid).tokens?.rules;
    expect(inline).toHaveLength(1);
    expect(parse(fromFile).tokens?.rules).toEqual(inline);
    expect(parse(fromFile).tokens?.keys?.keys).toHaveLength(1);
  });

  test("lets a store without API keys serve other machines", () => {
    expect(() => requireClosed(parse({ ...valid, HOST: "0.0.0.0" }), false)).not.toThrow();
    expect(() => requireClosed(parse({ HOST: "0.0.0.0" }), false)).toThrow(ConfigError);
  });

  test.each<[string, Readonly<Record<string, string>>, string]>([
    ["no audience", { ...valid, JWT_AUDIENCE: "" }, "JWT_AUDIENCE must be set with IMAGE_STORE_JWT_ISSUER"],
    ["no rules", { ...fromFile, JWT_RULES: "" }, "JWT_RULES must be set with IMAGE_STORE_JWT_KEYS_FILE"],
    ["rules alone", { JWT_RULES: EXAMPLE_RULES }, "JWT_RULES has no effect without IMAGE_STORE_JWT_ISSUER"],
    ["an audience alone", { JWT_AUDIENCE: "a" }, "JWT_AUDIENCE has no effect without IMAGE_STORE_JWT_ISSUER"],
    ["plain http", { ...valid, JWT_ISSUER: "http://login.example.org" }, "must be an https URL"],
    [
      "a host that begins like loopback",
      { ...valid, JWT_ISSUER: "http://127.0.0.1.evil.example" },
      "must be an https URL",
    ],
    ["no URL", { ...valid, JWT_ISSUER: "login.example.org" }, "must be an https URL"],
    ["a query", { ...valid, JWT_ISSUER: "https://login.example.org?a" }, "without user, query and fragment"],
    ["a fragment", { ...valid, JWT_ISSUER: "https://login.example.org#a" }, "without user, query and fragment"],
    ["a password", { ...valid, JWT_ISSUER: "https://a:b@login.example.org" }, "without user, query and fragment"],
    ["a symmetric algorithm", { ...valid, JWT_ALGORITHMS: "HS256" }, 'not "HS256"'],
    ["the algorithm none", { ...valid, JWT_ALGORITHMS: "RS256,none" }, 'not "none"'],
    ["no algorithm", { ...valid, JWT_ALGORITHMS: "," }, "JWT_ALGORITHMS must not be empty"],
    ["an unknown type", { ...valid, JWT_TYPES: "at-jwt" }, "one of at+jwt, JWT"],
    ["a file of keys that is not there", { ...fromFile, JWT_KEYS_FILE: "x" }, "JWT_KEYS_FILE cannot be read: ENOENT"],
    ["a file of rules that is not there", { ...fromFile, JWT_RULES: "x" }, "JWT_RULES cannot be read: ENOENT"],
    ["keys for other algorithms", { ...fromFile, JWT_ALGORITHMS: "RS256" }, "has no key for signatures by RS256"],
    ["an unknown setting", { JWT_ISUER: "https://a.example" }, "Did you mean IMAGE_STORE_JWT_ISSUER?"],
  ])("with %s is refused", (_what, env, message) => {
    expect(problemsOf(env)).toEqual([expect.stringContaining(message)]);
  });

  test.each(["http://localhost:3000", "http://127.0.0.1:3000/realms/a", "http://[::1]", "https://a.eu.auth0.com/"])(
    "takes the issuer %s as it is written",
    (issuer) => {
      expect(parse({ ...valid, JWT_ISSUER: issuer }).tokens?.issuer).toBe(issuer);
    },
  );
});

describe("a file of keys", () => {
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
  test.each<[string, unknown, string]>([
    ["no JSON", undefined, 'must be a JWKS: {"keys":[…]}, but is not JSON'],
    ["a single key", publicJwk, 'must be a JWKS: {"keys":[…]}'],
    ["a private key", { keys: [publicJwk, privateJwk] }, "key 2 is private: keep it at the login"],
    ["a symmetric key", { keys: [{ kty: "oct", k: "c2VjcmV0" }] }, "key 1 is symmetric"],
    ["a damaged key", { keys: [{ ...publicJwk, x: "AAAA" }] }, "key 1 is not valid"],
    ["a weak key", { keys: [weak] }, "key 1 must have at least 2048 bits, not 1024"],
    ["a key without a type", { keys: [{ kid: "a" }] }, "key 1 must have a type (kty)"],
    ["no key", { keys: [] }, "has no key for signatures by"],
    ["a key for encryption", { keys: [{ ...publicJwk, use: "enc" }] }, "has no key for signatures by"],
  ])("with %s is refused, and nothing of it is repeated", (_what, value, message) => {
    const text = value === undefined ? `${privateJwk.d}` : JSON.stringify(value);
    const problems = problemsOf({ ...fromFile, JWT_KEYS_FILE: "bad" }, { bad: text });
    expect(problems).toEqual([expect.stringContaining(message)]);
    expect(problems.join("")).not.toContain(privateJwk.d as string);
  });
});

test("keys of other types may stand in a file of keys", () => {
  const others = [
    { kty: "OKP", crv: "X25519", x: "AAAA", use: "enc" },
    { kty: "EC", crv: "secp256k1", x: "AAAA", y: "AAAA" },
    { kty: "AKP", alg: "ML-DSA-44", pub: "AAAA" },
  ];
  const text = JSON.stringify({ keys: [...others, publicJwk] });
  expect(problemsOf({ ...fromFile, JWT_KEYS_FILE: "mixed" }, { mixed: text })).toEqual([]);
});

describe("rules", () => {
  const rule = { claim: "scope", has: "images", rights: ["read"], albums: ["u-{sub}-*"] };
  test.each<[string, unknown, string]>([
    ["an object", { ...rule }, "must be a JSON array of rules"],
    ["an empty array", [], "must be a JSON array of rules"],
    ["a text", ["scope"], "rule 1: must be an object"],
    ["a misspelt member", [{ ...rule, albms: [] }], 'rule 1: unknown member "albms". Did you mean "albums"?'],
    ["an unknown right", [{ ...rule, rights: ["read", "own"] }], 'rule 1: "rights" must be of read, write, delete'],
    ["no rights", [{ ...rule, rights: [] }], 'rule 1: "rights" must be an array'],
    ["no albums", [{ ...rule, albums: [] }], 'rule 1: "albums" must be "*"'],
    ["a condition without a claim", [{ ...rule, claim: undefined }], '"has" and "equals" need a "claim"'],
    ["two tests", [{ ...rule, equals: "a" }], 'needs either "has" or "equals"'],
    ["a claim without a test", [{ ...rule, has: undefined }], 'needs either "has" or "equals"'],
    ["an empty path", [{ ...rule, claim: [] }], '"claim" must be the name of a claim'],
    ["a number to have", [{ ...rule, has: 1 }], '"has" must be a text'],
    ["an object to equal", [{ ...rule, has: undefined, equals: {} }], '"equals" must be a text, a number'],
    ["a right without effect", [{ ...rule, rights: ["admin"] }], '"admin" has no effect unless "albums" is "*"'],
    ["a repetition", [rule, rule], "rule 2: has no effect, since it repeats rule 1"],
    ["* in an array", [{ ...rule, albums: ["*"] }], 'the pattern "*" stands for all albums: write "albums": "*"'],
    ["* in the middle", [{ ...rule, albums: ["a*b"] }], 'the pattern "a*b" must have * at its end only'],
    ["a brace alone", [{ ...rule, albums: ["u-{sub-*"] }], "has a brace without its pair"],
    ["empty braces", [{ ...rule, albums: ["u-{}-*"] }], "must have the name of a claim between braces"],
    ["claims without a separator", [{ ...rule, albums: ["{a}{b}"] }], "must have a character between its claims"],
    ["a claim before *", [{ ...rule, albums: ["u-{sub}*"] }], "else ann would get the albums of anna"],
    ["no name of an album", [{ ...rule, albums: ["a/b"] }], 'the pattern "a/b" can match no album'],
    ["letters that are not in NFC", [{ ...rule, albums: ["e\u0301-*"] }], "can match no album"],
    ["a number as a pattern", [{ ...rule, albums: [7] }], 'the pattern "7" must be a text'],
    [
      "too many patterns",
      [{ ...rule, albums: Array.from({ length: 101 }, (_, number) => `a${number}`) }],
      "must have at most 100 patterns in all, not 101",
    ],
    [
      "a pattern that a claim could reach",
      [rule, { ...rule, albums: ["u-team-*"] }],
      'rule 2: a token could choose a claim so that "u-team-*" and "u-{sub}-*" of rule 1 match the same album',
    ],
    [
      "two claims at the same place",
      [{ ...rule, albums: ["u-{sub}-*", "u-{org}-*"] }],
      'rule 1: a token could choose a claim so that "u-{org}-*" and "u-{sub}-*" match the same album',
    ],
  ])("with %s are refused", (_what, rules, message) => {
    expect(problemsOf({ ...valid, JWT_RULES: "bad" }, { bad: JSON.stringify(rules) })).toEqual([
      expect.stringContaining(`IMAGE_STORE_JWT_RULES ${message.startsWith("rule") ? message : ""}`),
    ]);
    expect(problemsOf({ ...valid, JWT_RULES: "bad" }, { bad: JSON.stringify(rules) })[0]).toContain(message);
  });

  test("that are not JSON are refused, in the setting and in a file", () => {
    expect(problemsOf({ ...valid, JWT_RULES: "[{]" })).toEqual([expect.stringContaining("JWT_RULES must be JSON: ")]);
    expect(problemsOf({ ...valid, JWT_RULES: "{}" })).toEqual([expect.stringContaining("must be a JSON array")]);
  });

  test("may give staff everything, and everyone something of their own and in common", () => {
    const rules = [
      { claim: "role", equals: "staff", rights: ["read", "delete"], albums: ["u-*"] },
      { rights: ["read", "write"], albums: ["u-{sub}", "u-{sub}-*", "shared-*"] },
      { claim: "role", equals: "admin", rights: ["admin"], albums: "*" },
    ];
    expect(problemsOf({ ...valid, JWT_RULES: JSON.stringify(rules) })).toEqual([]);
  });

  test("and the rest of the configuration have all their problems told at once", () => {
    const rules = JSON.stringify([
      { rights: ["own"], albums: "*" },
      { rights: ["read"], albums: [] },
    ]);
    const problems = problemsOf({
      JWT_ISSUER: "login",
      JWT_KEYS_FILE: "x",
      JWT_RULES: rules,
      JWT_TYPES: "a",
      PORT: "x",
    });
    expect(problems).toHaveLength(7);
  });
});

describe("the configuration of signing in at the issuer", () => {
  const page = { ...valid, PAGE_CLIENT_ID: "image-store-page" };

  test("has the issuer, the client, the scope openid and no more", () => {
    expect(parse(page).login).toEqual({
      issuer: "https://login.example.org",
      clientId: "image-store-page",
      scope: "openid",
      query: "",
    });
    expect(parse(valid).login).toBeUndefined();
  });

  test.each([
    [
      "without an issuer",
      { ...fromFile, PAGE_CLIENT_ID: "p" },
      "PAGE_CLIENT_ID needs IMAGE_STORE_JWT_ISSUER: people sign in there",
    ],
    ["without the page", { ...page, PAGE: "false" }, "PAGE_CLIENT_ID has no effect with IMAGE_STORE_PAGE=false"],
    [
      "with a scope that gives no ID token",
      { ...page, PAGE_SCOPE: "images" },
      'PAGE_SCOPE must contain openid, not "images"',
    ],
    [
      "with a parameter of the page's",
      { ...page, PAGE_LOGIN_QUERY: "audience=x&state=y" },
      "PAGE_LOGIN_QUERY must not have state, which the page sets",
    ],
    [
      "with a query and no client",
      { ...valid, PAGE_LOGIN_QUERY: "audience=x" },
      "PAGE_LOGIN_QUERY has no effect without IMAGE_STORE_PAGE_CLIENT_ID",
    ],
  ])("is refused %s", (_what, env, problem) => {
    expect(problemsOf(env)).toEqual([`IMAGE_STORE_${problem}`]);
  });
});
