import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { RIGHTS } from "../../src/domain/access.ts";
import { type Grant, may } from "../../src/domain/caller.ts";
import { canonicalGrant, parsePattern, rightBeyond, toGrant, toGrantRecord } from "../../src/domain/grant.ts";

/** Short, of few letters, so that names, prefixes and ids meet. */
const name = fc.stringMatching(/^[ab]{1,4}$/);
const pattern = fc.oneof(
  name,
  name.map((text) => `${text}*`),
);
const id = fc.constantFrom("1", "2", "3");
const albums = fc.oneof(
  fc.constant("*" as const),
  fc.record({ ids: fc.array(id, { maxLength: 2 }), names: fc.array(pattern, { maxLength: 3 }) }),
);
const grant: fc.Arbitrary<Grant> = fc.record({
  rights: fc.uniqueArray(fc.constantFrom(...RIGHTS), { minLength: 1, maxLength: 3 }).map((rights) => new Set(rights)),
  albums,
});
const grants = fc.array(grant, { maxLength: 3 });
const callerWith = (given: readonly Grant[]) => ({ kind: "key", id: "k", name: "k", grants: given }) as const;

const grantOn = (names: string[]) => [toGrant({ rights: ["read"], albums: { names } })];

describe("what a caller may give", () => {
  test("is nothing that reaches an album, right and name that the caller does not reach", () => {
    let allowed = 0;
    fc.assert(
      fc.property(grants, grants, id, name, (own, given, albumId, albumName) => {
        const [maker, made] = [callerWith(own), callerWith(given)];
        if (rightBeyond(maker, given) !== undefined) return;
        allowed += 1;
        for (const right of RIGHTS) {
          const album = { id: albumId, name: albumName };
          if (may(made, right, album)) expect([right, album, may(maker, right, album)]).toEqual([right, album, true]);
        }
      }),
      { numRuns: 20_000 },
    );
    expect(allowed).toBeGreaterThan(1000);
  });

  test("is all that it has, and any part of it", () => {
    fc.assert(
      fc.property(grants, (own) => {
        expect(rightBeyond({ grants: own }, own)).toBeUndefined();
        const parts = own.flatMap(({ rights, albums: on }) =>
          [...rights].map((right): Grant => ({ rights: new Set([right]), albums: on })),
        );
        expect(rightBeyond({ grants: own }, parts)).toBeUndefined();
      }),
    );
  });

  test.each([
    [["a*"], ["ab", "ab*", "a*"], true],
    [["a*"], ["b"], false],
    [["ab*"], ["a*"], false],
    [["ab"], ["ab*"], false],
    [["a", "b*"], ["a", "bb"], true],
  ])("names %j include names %j: %p", (own, given, includes) => {
    expect(rightBeyond({ grants: grantOn(own) }, grantOn(given)) === undefined).toBe(includes);
  });

  test("by a name is not by an id, nor the other way round, since an album may be renamed", () => {
    const byName = [toGrant({ rights: ["read"], albums: { names: ["a*"] } })];
    const byId = [toGrant({ rights: ["read"], albums: { ids: ["1"] } })];
    expect(rightBeyond({ grants: byName }, byId)).toBe("read");
    expect(rightBeyond({ grants: byId }, byName)).toBe("read");
  });
});

describe("a grant", () => {
  test("is stored in one form, whatever the order and repetition of its parts", () => {
    const written = canonicalGrant({
      rights: ["write", "read", "write"],
      albums: { ids: [], names: ["b", "a*", "b"] },
    });
    expect(written).toEqual({ rights: ["read", "write"], albums: { names: ["a*", "b"] } });
    expect(toGrantRecord(toGrant(written))).toEqual(written);
  });

  test("takes the beginnings of valid names, in NFC", () => {
    expect(parsePattern("cafe\u0301*")).toBe("caf\u00e9*");
    expect(parsePattern("a*b")).toBe("a*b");
    for (const text of ["", "*", "a/b", "a/*", "\u0000*", ".", "x".repeat(256)])
      expect(() => parsePattern(text)).toThrow();
  });
});
