import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { makeSecret, parseSecret, type SecretKind, sameDigest } from "../../src/operations/secrets.ts";

const KINDS: readonly SecretKind[] = ["key", "ticket", "share", "session"];

describe("secrets", () => {
  test.each(KINDS)("a new secret of a %s is parsed to its kind, id and digest", (kind) => {
    const { text, ...made } = makeSecret(kind);
    expect(parseSecret(text)).toEqual(made);
    expect(made.sha256).toBe(new Bun.CryptoHasher("sha256").update(text).digest("hex"));
    expect(text).toMatch(/^img[a-z]{2}_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}$/);
  });

  test("two secrets have nothing in common", () => {
    const made = Array.from({ length: 1000 }, () => makeSecret("key"));
    expect(new Set(made.map(({ id }) => id)).size).toBe(1000);
    expect(new Set(made.map(({ sha256 }) => sha256)).size).toBe(1000);
  });

  test("a secret with one character changed, lost or added is none", () => {
    const { text } = makeSecret("share");
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom("0", "A", "z", "_", "-", "*"), (at, other) => {
        const changed = text.slice(0, at) + other + text.slice(at + 1);
        if (changed !== text) expect(parseSecret(changed)).toBeUndefined();
        expect(parseSecret(text.slice(0, at) + text.slice(at + 1))).toBeUndefined();
        expect(parseSecret(text.slice(0, at) + other + text.slice(at))).toBeUndefined();
      }),
    );
  });

  test("any other text is none", () => {
    fc.assert(fc.property(fc.string(), (text) => expect(parseSecret(text)).toBeUndefined()));
  });

  test("digests are equal only if every digit is", () => {
    const { sha256 } = makeSecret("key");
    expect(sameDigest(sha256, sha256)).toBe(true);
    expect(sameDigest(sha256, sha256.slice(1))).toBe(false);
    expect(sameDigest(sha256, makeSecret("key").sha256)).toBe(false);
  });
});
