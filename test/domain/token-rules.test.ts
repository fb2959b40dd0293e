import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseTemplate, parseTokenRules } from "../../src/config/token-rules.ts";
import { RIGHTS } from "../../src/domain/access.ts";
import type { Claims } from "../../src/domain/token.ts";
import { createTokenGrants, isName } from "../../src/domain/token-rules.ts";
import { includesAlbum } from "../../src/domain/visibility.ts";

function rulesOf(...rules: object[]) {
  const { rules: parsed, problems } = parseTokenRules(JSON.stringify(rules));
  expect(problems).toEqual([]);
  return parsed;
}

/** The patterns that a rule for everyone gives. */
const namesFor = (claims: Claims, ...albums: string[]): readonly string[] =>
  createTokenGrants(rulesOf({ rights: ["read"], albums }))(claims).grants.flatMap(({ albums: granted }) =>
    granted === "*" ? [] : (granted.names ?? []),
  );

const applies = (rule: object, claims: Claims): boolean =>
  createTokenGrants(rulesOf({ ...rule, rights: ["read"], albums: "*" }))(claims).grants.length === 1;

describe("a rule", () => {
  test.each<[string, object, Claims, boolean]>([
    ["a word of a text", { claim: "scope", has: "images" }, { scope: "openid images" }, true],
    ["a part of a word", { claim: "scope", has: "image" }, { scope: "openid images" }, false],
    ["a member of an array", { claim: "roles", has: "image admin" }, { roles: ["user", "image admin"] }, true],
    ["a part of a member", { claim: "roles", has: "admin" }, { roles: ["image admin"] }, false],
    ["a member of an object", { claim: "roles", has: "admin" }, { roles: { admin: true } }, false],
    ["no claim", { claim: "roles", has: "admin" }, {}, false],
    ["an inherited member", { claim: ["roles", "constructor", "name"], equals: "Object" }, { roles: {} }, false],
    ["an equal text", { claim: "tier", equals: "pro" }, { tier: "pro" }, true],
    ["a longer text", { claim: "tier", equals: "pro" }, { tier: "pro max" }, false],
    ["an equal number", { claim: "level", equals: 3 }, { level: 3 }, true],
    ["a number as a text", { claim: "level", equals: 3 }, { level: "3" }, false],
    ["true", { claim: "email_verified", equals: true }, { email_verified: true }, true],
    ["a nested member", { claim: ["realm", "roles"], has: "a" }, { realm: { roles: ["a"] } }, true],
    ["a claim whose name has dots", { claim: "https://a.example/r", has: "a" }, { "https://a.example/r": ["a"] }, true],
    ["no condition", {}, {}, true],
  ])("applies to %s or does not", (_what, rule, claims, expected) => {
    expect(applies(rule, claims)).toBe(expected);
  });

  test("adds its grant to those of the other rules that apply", () => {
    const rules = rulesOf(
      { rights: ["read"], albums: ["public-*"] },
      { claim: "scope", has: "images", rights: ["read", "write"], albums: ["u-{sub}-*"] },
      { claim: "scope", has: "staff", rights: ["admin"], albums: "*" },
    );
    const { grants, unfit } = createTokenGrants(rules)({ sub: "ann", scope: "images" });
    expect(grants).toEqual([
      { rights: new Set(["read"]), albums: { names: ["public-*"] } },
      { rights: new Set(["read", "write"]), albums: { names: ["u-ann-*"] } },
    ]);
    expect(unfit).toEqual([]);
  });

  test("whose claim does not fit gives nothing, and says which claim it was", () => {
    const rules = rulesOf({ rights: ["read"], albums: ["u-{sub}-*", "o-{org}-*"] });
    expect(createTokenGrants(rules)({ sub: "a-b", org: "acme" })).toEqual({
      grants: [{ rights: new Set(["read"]), albums: { names: ["o-acme-*"] } }],
      unfit: ["sub"],
    });
  });
});

describe("a value in an album's name", () => {
  test.each<[string, unknown]>([
    ["*", "*"],
    ["text with a *", "a*"],
    ["nothing", ""],
    ["..", ".."],
    ["a slash", "a/b"],
    ["a control character", "a\u0000"],
    ["a character for text direction", "a\u202e"],
    ["the separator", "a-b"],
    ["the separator at its end", "ann-"],
    ["what a UUID begins with", "550e8400"],
    ["letters that are not in NFC", "e\u0301"],
    ["a lone surrogate", "\ud800"],
    ["256 bytes", "a".repeat(256)],
    ["253 bytes, too many with the rest of the pattern", "a".repeat(253)],
    ["a number", 7],
    ["an array", ["ann"]],
    ["null", null],
  ])("must not be %s", (_what, sub) => {
    expect(namesFor({ sub }, "u-{sub}-*")).toEqual([]);
  });

  test("must not combine with the text before it", () => {
    expect(namesFor({ sub: "\u0308bung" }, "u{sub}")).toEqual([]);
    expect(namesFor({ sub: "\u0308bung" }, "u-{sub}")).toEqual(["u-\u0308bung"]);
  });

  test.each([
    ["a name", "ann"],
    ["a UUID, although it has hyphens", "550e8400-e29b-41d4-a716-446655440000"],
    ["an identifier with a bar", "auth0|5f7c8ec7c33c6c004bbafe82"],
    ["an address", "ann@example.org"],
    ["braces", "{sub}"],
  ])("may be %s", (_what, sub) => {
    expect(namesFor({ sub }, "u-{sub}-*")).toEqual([`u-${sub}-*`]);
  });

  test("may have any hyphens where another character follows it, or none", () => {
    expect(namesFor({ sub: "a-b" }, "u-{sub}.*", "v-{sub}")).toEqual(["u-a-b.*", "v-a-b"]);
  });

  test("must not have the separator of another pattern with the same claim", () => {
    // The album u-a-b of the subject a-b would be one of u-a-*, of the subject a.
    expect(namesFor({ sub: "a-b" }, "u-{sub}-*", "u-{sub}")).toEqual([]);
  });
});

const claimsIn = (text: string): string[] =>
  parseTemplate(text).parts.flatMap((part) => (typeof part === "string" ? [] : part.claim));

/** What each pattern becomes for the claims, told apart by the right that it is granted with. */
function compile(patterns: readonly string[]) {
  const written = patterns.map((text, index) => ({ rights: [RIGHTS[index]], albums: [text] }));
  const { rules, problems } = parseTokenRules(JSON.stringify(written));
  if (problems.length > 0) return undefined;
  const grantsOf = createTokenGrants(rules);
  return (claims: Claims) =>
    grantsOf(claims).grants.flatMap(({ rights, albums }) =>
      albums === "*" ? [] : { text: patterns[RIGHTS.findIndex((right) => rights.has(right))] as string, ...albums },
    );
}

describe("whatever a token claims", () => {
  const awkward = fc.oneof(
    fc.stringMatching(/^[a-c.-]{1,4}$/),
    fc.constantFrom("*", "", "..", "a-*", "550e8400", "550e8400-e29b-41d4-a716-446655440000", "a\u0301", "\u0301", "á"),
    fc.uuid(),
    fc.string({ maxLength: 6, unit: "binary" }),
  );
  const uuid = "550e8400-e29b-41d4-a716-446655440000";
  /** Few enough that one is often the beginning of another. */
  const value = fc.oneof(
    { weight: 6, arbitrary: fc.stringMatching(/^[ab][ab.-]{0,2}$/) },
    fc.constantFrom("550e8400", uuid, "550e8400-e29b"),
    awkward,
  );
  const claimsArbitrary = fc.record({ sub: value, org: value });
  const between = fc.constantFrom("-", ".", "-a", "\u0301-", "");
  const claimed = fc.constantFrom("{sub}", "{sub}", "{org}", "a");
  const pattern = fc
    .tuple(fc.constantFrom("u", "u-", ""), claimed, between, fc.option(claimed, { nil: "" }), between, fc.boolean())
    .map(([head, one, middle, other, tail, isPrefix]) => head + one + middle + other + tail + (isPrefix ? "*" : ""));
  const suffix = fc.oneof(fc.stringMatching(/^[ab.-]{0,4}$/), fc.constant(uuid.slice(9)));

  test("an album that two tokens may use is theirs by the same values of the same claims", () => {
    let compared = 0;
    const check = (patterns: readonly string[], one: Claims, other: Claims, rest: string) => {
      const fill = compile(patterns);
      if (fill === undefined) return;
      for (const mine of fill(one)) {
        const name = mine.names?.[0]?.replace(/\*$/, rest);
        if (name === undefined || !isName(name)) continue;
        for (const theirs of fill(other)) {
          if (!includesAlbum({ ids: [], names: theirs.names ?? [], public: false }, { name })) continue;
          const [ours, others] = [claimsIn(mine.text), claimsIn(theirs.text)];
          const shared = Math.min(ours.length, others.length);
          const valuesOf = (names: readonly string[], claims: Claims) =>
            names.slice(0, shared).map((claim) => [claim, claims[claim]]);
          compared += shared;
          expect(valuesOf(ours, one)).toEqual(valuesOf(others, other));
        }
      }
    };
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 2 }), claimsArbitrary, claimsArbitrary, suffix, check),
      { numRuns: 20_000 },
    );
    expect(compared).toBeGreaterThan(100);
  });

  test("a pattern keeps its fixed text, and has * only where the rule has it", () => {
    fc.assert(
      fc.property(awkward, (sub) => {
        for (const name of namesFor({ sub }, "u-{sub}-*", "w-{sub}")) {
          expect(name).toMatch(/^(u-[^*]+-\*|w-[^*]+)$/su);
          expect(name.normalize("NFC")).toBe(name);
        }
      }),
    );
  });
});
