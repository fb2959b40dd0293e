import { createPublicKey } from "node:crypto";
import type { JsonWebKey, JsonWebKeySet, TokenAlgorithm } from "../domain/token.ts";

/** The types of keys that each family of algorithms needs, with the curve where it is one. */
const KEY_OF: Readonly<Record<TokenAlgorithm, { kty: string; crv?: string }>> = {
  RS256: { kty: "RSA" },
  RS384: { kty: "RSA" },
  RS512: { kty: "RSA" },
  PS256: { kty: "RSA" },
  PS384: { kty: "RSA" },
  PS512: { kty: "RSA" },
  ES256: { kty: "EC", crv: "P-256" },
  ES384: { kty: "EC", crv: "P-384" },
  ES512: { kty: "EC", crv: "P-521" },
  EdDSA: { kty: "OKP", crv: "Ed25519" },
  Ed25519: { kty: "OKP", crv: "Ed25519" },
};
const MIN_RSA_BITS = 2048;

/**
 * A JWKS (RFC 7517) of public keys.
 * @throws Error whose message completes the sentence "IMAGE_STORE_JWT_KEYS_FILE …". It repeats nothing of a key but its id.
 */
export function parseKeySet(text: string, algorithms: readonly TokenAlgorithm[]): JsonWebKeySet {
  const { keys } = parseObject(text);
  if (!Array.isArray(keys)) throw new Error('must be a JWKS: {"keys":[…]}');
  for (const [index, key] of (keys as readonly unknown[]).entries()) {
    try {
      requirePublicKey(key);
    } catch (error) {
      throw new Error(`key ${index + 1} ${(error as Error).message}`, { cause: error });
    }
  }
  const set = { keys: keys as readonly JsonWebKey[] };
  if (!set.keys.some((key) => algorithms.some((algorithm) => fits(key, algorithm))))
    throw new Error(`has no key for signatures by ${algorithms.join(", ")}, which IMAGE_STORE_JWT_ALGORITHMS allows`);
  return set;
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  } catch (cause) {
    // The parser's message quotes the text, which may be a private key that was put there by mistake.
    throw new Error('must be a JWKS: {"keys":[…]}, but is not JSON', { cause });
  }
}

function requirePublicKey(value: unknown): void {
  if (typeof value !== "object" || value === null) throw new Error("must be an object");
  const key = value as Readonly<Record<string, unknown>>;
  if (key["kty"] === "oct" || key["k"] !== undefined) throw new Error("is symmetric: only public keys can be used");
  if (key["d"] !== undefined || key["priv"] !== undefined)
    throw new Error("is private: keep it at the login, and put only its public part here");
  if (typeof key["kty"] !== "string") throw new Error("must have a type (kty)");
  if (key["kid"] !== undefined && typeof key["kid"] !== "string") throw new Error("must have a text as its kid");
  // Issuers publish keys for encryption and of new types beside those that sign.
  if (!Object.values(KEY_OF).some(({ kty, crv }) => kty === key["kty"] && (crv === undefined || crv === key["crv"])))
    return;
  let bits: number | undefined;
  try {
    const { asymmetricKeyDetails } = createPublicKey({ key, format: "jwk" });
    bits = asymmetricKeyDetails?.modulusLength;
  } catch (cause) {
    throw new Error("is not valid", { cause });
  }
  if (bits !== undefined && bits < MIN_RSA_BITS)
    throw new Error(`must have at least ${MIN_RSA_BITS} bits, not ${bits}`);
}

function fits({ kty, crv, alg, use }: JsonWebKey, algorithm: TokenAlgorithm): boolean {
  const needed = KEY_OF[algorithm];
  return (
    needed.kty === kty &&
    (needed.crv === undefined || needed.crv === crv) &&
    (alg === undefined || alg === algorithm) &&
    (use === undefined || use === "sig")
  );
}
