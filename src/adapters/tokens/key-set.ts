import { createHash } from "node:crypto";
import { createLocalJWKSet, errors, type JWTVerifyResult } from "jose";
import type { JsonWebKey, JsonWebKeySet } from "../../domain/token.ts";

type Header = JWTVerifyResult["protectedHeader"];

/** The keys by which tokens are verified. */
export interface KeySet {
  /** The key for a token. */
  readonly find: ReturnType<typeof createLocalJWKSet>;
  has(thumbprint: string): boolean;
  /** The thumbprint of the key that {@link find} finds for a token with this header. */
  thumbprintFor(header: Header): Promise<string>;
}

export function openKeySet({ keys }: JsonWebKeySet): KeySet {
  const single = keys.map((key) => ({ thumbprint: thumbprintOf(key), find: createLocalJWKSet({ keys: [key] }) }));
  const thumbprints = new Set(single.map(({ thumbprint }) => thumbprint));
  const found = new Map<string, string>();

  async function search(header: Header): Promise<string> {
    for (const { thumbprint, find } of single)
      try {
        await find(header);
        return thumbprint;
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      }
    throw new errors.JWKSNoMatchingKey();
  }

  return {
    find: createLocalJWKSet({ keys: [...keys] }),
    has: (thumbprint) => thumbprints.has(thumbprint),
    async thumbprintFor(header) {
      const name = `${header.alg} ${header.kid}`;
      const known = found.get(name);
      if (known !== undefined) return known;
      const thumbprint = await search(header);
      found.set(name, thumbprint);
      return thumbprint;
    },
  };
}

/** What a thumbprint is of, by the type of the key (RFC 7638, RFC 8037). */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  EC: ["crv", "kty", "x", "y"],
  OKP: ["crv", "kty", "x"],
  RSA: ["e", "kty", "n"],
};

function thumbprintOf(key: JsonWebKey): string {
  const members = MEMBERS[key.kty] ?? Object.keys(key).sort();
  const text = JSON.stringify(Object.fromEntries(members.map((name) => [name, key[name]])));
  return createHash("sha256").update(text).digest("base64url");
}
