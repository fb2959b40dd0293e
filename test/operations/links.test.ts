import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { StoreError } from "../../src/domain/errors.ts";
import { linkExpiry, MAX_LINK_LIFE, MIN_LINK_LIFE } from "../../src/domain/link.ts";
import { createLinkSigner, type VerifiedLink } from "../../src/operations/link-signer.ts";

const NOW = Date.parse("2026-07-14T09:30:00.000Z");
const keyOf = (id: string, secret = `${id}-${"s".repeat(43)}`) => ({ id, secret });
const PATH = `/v1/images/0192e4a1-1b2c-7d3e-8f40-5a6b7c8d9e0f/content/${"ab".repeat(32)}`;
const QUERY = "w=400&h=300&crop=0.5,0.25&format=webp";

const split = (target: string): [path: string, search: string] => {
  const question = target.indexOf("?");
  return question === -1 ? [target, ""] : [target.slice(0, question), target.slice(question + 1)];
};

/** What was signed, or the code of the refusal. */
function verify(signer: ReturnType<typeof createLinkSigner>, target: string): VerifiedLink | string | undefined {
  try {
    return signer.verify(...split(target));
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  }
}

describe("the expiry of a link", () => {
  const lives = fc.integer({ min: MIN_LINK_LIFE, max: MAX_LINK_LIFE });

  test("is never earlier than requested and at most a quarter and a second later", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), lives, (now, life) => {
        const left = linkExpiry(now, life) - now / 1000;
        expect(left).toBeGreaterThanOrEqual(life);
        expect(left).toBeLessThanOrEqual(life * 1.25 + 1);
      }),
    );
  });

  test("changes at most once per quarter of its life", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e9 }), lives, (second, life) => {
        const window = Math.ceil(life / 4);
        const all = [0, 0.3, 0.6, 0.9].map((part) => linkExpiry((second + part * window) * 1000, life));
        expect(new Set(all).size).toBeLessThanOrEqual(2);
        expect(linkExpiry((second + window) * 1000, life)).toBe((all[0] as number) + window);
      }),
    );
  });
});

describe("a signed link", () => {
  let now = NOW;
  const signer = createLinkSigner([keyOf("one")], () => now);
  const { target, expiresAt } = signer.sign(PATH, QUERY, 3600);

  test("contains what was signed and for how long", () => {
    now = NOW + 500;
    expect(verify(signer, target)).toEqual({
      query: QUERY,
      maxAge: Math.floor((expiresAt - now) / 1000),
    });
    expect(verify(signer, signer.sign(PATH, "", 60).target)).toMatchObject({ query: "" });
    now = NOW;
  });

  test("is valid until its time and not longer", () => {
    now = expiresAt - 1;
    expect(verify(signer, target)).toMatchObject({ maxAge: 0 });
    now = expiresAt;
    expect(verify(signer, target)).toBe("link_expired");
    expect(verify(signer, `${target}x`)).toBe("invalid_link");
    now = NOW;
  });

  test("is verified by any of the keys and by none after its key was dropped or replaced", () => {
    expect(
      verify(
        createLinkSigner([keyOf("two"), keyOf("one")], () => NOW),
        target,
      ),
    ).toMatchObject({ query: QUERY });
    for (const keys of [[], [keyOf("two")], [keyOf("one", "x".repeat(43))], [keyOf("two", keyOf("one").secret)]])
      expect(
        verify(
          createLinkSigner(keys, () => NOW),
          target,
        ),
      ).toBe("invalid_link");
  });

  test("with an excessive lifetime is refused although its signature matches", () => {
    for (let life = MIN_LINK_LIFE; life <= MAX_LINK_LIFE; life += 7919) {
      const link = createLinkSigner([keyOf("one")], () => NOW).sign(PATH, QUERY, life);
      // Another node's clock may be late.
      for (const late of [0, 900_000])
        expect(
          verify(
            createLinkSigner([keyOf("one")], () => NOW - late),
            link.target,
          ),
        ).toMatchObject({ query: QUERY });
    }
    const longest = MAX_LINK_LIFE * 1.25 + 900;
    for (const [life, outcome] of [
      [longest + 2, "invalid_link"],
      [365 * 86_400, "invalid_link"],
    ] as const) {
      const link = createLinkSigner([keyOf("one")], () => NOW).sign(PATH, QUERY, life);
      expect(
        verify(
          createLinkSigner([keyOf("one")], () => NOW),
          link.target,
        ),
      ).toBe(outcome);
    }
  });

  test("is signed with the first key", () => {
    const { target: signed } = createLinkSigner([keyOf("two"), keyOf("one")], () => NOW).sign(PATH, QUERY, 3600);
    expect(signed).toContain("&key=two&signature=");
  });

  test("has one spelling, including the last character of the signature", () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const verified = alphabet
      .split("")
      .filter((last) => typeof verify(signer, target.slice(0, -1) + last) === "object");
    expect(verified).toEqual([target.slice(-1)]);
  });

  test("is invalid with any character changed, removed, added or moved", () => {
    const place = fc.nat({ max: target.length - 1 });
    const end = fc.oneof(place, fc.constant(target.length));
    const character = fc.oneof(
      fc.constantFrom(...`&=?%+;/.,-_ ${target}`.split("")),
      fc.string({ minLength: 1, maxLength: 1 }),
    );
    const altered = fc.oneof(
      fc.tuple(place, character).map(([at, by]) => target.slice(0, at) + by + target.slice(at + 1)),
      fc.tuple(end, character).map(([at, by]) => target.slice(0, at) + by + target.slice(at)),
      place.map((at) => target.slice(0, at) + target.slice(at + 1)),
      fc.tuple(place, place).map(([from, to]) => {
        const rest = target.slice(0, from) + target.slice(from + 1);
        return rest.slice(0, to) + target.charAt(from) + rest.slice(to);
      }),
      fc.shuffledSubarray(split(target)[1].split("&")).map((parameters) => `${PATH}?${parameters.join("&")}`),
    );
    fc.assert(
      fc.property(altered, (text) => {
        fc.pre(text !== target);
        // Without a `?`, or without any parameter of a link, it is one of the targets that need a key.
        const pretends = /\?(.*&)?(expires|key|signature)=/.test(text);
        expect(verify(signer, text)).toBe(pretends ? "invalid_link" : undefined);
      }),
      { numRuns: 2000 },
    );
  });

  test("cannot be combined from parts of others", () => {
    const other = signer.sign(PATH.replace("ab", "cd"), QUERY, 3600).target;
    const another = signer.sign(PATH, "w=4000", 3600).target;
    const later = signer.sign(PATH, QUERY, 86_400).target;
    for (const from of [other, another, later]) {
      const signature = from.slice(from.lastIndexOf("=") + 1);
      expect(verify(signer, target.slice(0, target.lastIndexOf("=") + 1) + signature)).toBe("invalid_link");
    }
    expect(verify(signer, target.replace(PATH, PATH.replace("ab", "cd")))).toBe("invalid_link");
    expect(verify(signer, `${target}&w=4000`)).toBe("invalid_link");
    expect(verify(signer, target.replace("?", "?w=4000&"))).toBe("invalid_link");
    // A query and an expiry that another could have meant by them.
    expect(verify(signer, target.replace("w=400&", "w=400%26"))).toBe("invalid_link");
  });
});

test("a signer without keys refuses to sign", () => {
  expect(() => createLinkSigner([]).sign(PATH, QUERY, 60)).toThrow("no key");
});
