import { decodeJwt, decodeProtectedHeader, errors, jwtVerify } from "jose";
import { StoreError } from "../../domain/errors.ts";
import {
  type JsonWebKeySet,
  type RefusalReason,
  type TokenAlgorithm,
  type TokenRecord,
  TokenRefusal,
  type TokenType,
  type VerifiedToken,
} from "../../domain/token.ts";
import type { TokenVerifier } from "../../ports/token-verifier.ts";
import { followIssuerKeys, type IssuerKeysOptions, type KeyObserver } from "./issuer-keys.ts";
import { type KeySet, openKeySet } from "./key-set.ts";

export interface JwtVerifierOptions extends Pick<IssuerKeysOptions, "interval" | "cooldown" | "timeout"> {
  /** What `iss` must be; undefined: anything. */
  readonly issuer: string | undefined;
  /** Undefined: they are the issuer's, found by discovery. */
  readonly keys: JsonWebKeySet | undefined;
  readonly audiences: readonly string[];
  readonly algorithms: readonly TokenAlgorithm[];
  readonly types: readonly TokenType[];
  readonly observer: TokenObserver;
  /** In milliseconds since 1970. */
  readonly now?: () => number;
}

export interface TokenObserver extends KeyObserver {
  refused(reason: RefusalReason): void;
}

/** Seconds by which the issuer's clock may be ahead of ours. */
const LEEWAY = 30;

/** Verifies access tokens with keys from the configuration, or with those that the issuer publishes. */
export function createJwtVerifier(options: JwtVerifierOptions): TokenVerifier {
  const { issuer, keys, observer, now = Date.now } = options;
  let keySet: KeySet | undefined;
  let generation = 0;
  const listeners = new Set<() => void>();
  const use = (set: JsonWebKeySet): void => {
    keySet = openKeySet(set);
    generation += 1;
    for (const listener of listeners) listener();
  };
  const issuerKeys =
    keys === undefined && issuer !== undefined ? followIssuerKeys({ ...options, issuer, onKeys: use }) : undefined;
  if (keys !== undefined) {
    use(keys);
    observer.loaded(keys.keys.length);
  }

  const requireKeys = (): KeySet => {
    if (keySet === undefined)
      throw new StoreError("unavailable", "Tokens cannot be verified yet: the issuer's keys are not available.");
    return keySet;
  };

  const verifyOnce = async (token: string): Promise<TokenRecord> => {
    const known = requireKeys();
    const { protectedHeader, payload } = await jwtVerify(token, known.find, {
      algorithms: [...options.algorithms],
      audience: [...options.audiences],
      ...(issuer === undefined ? {} : { issuer }),
      requiredClaims: ["exp", "sub"],
      clockTolerance: LEEWAY,
      currentDate: new Date(now()),
    });
    const { alg: algorithm, typ } = protectedHeader;
    return {
      type: typeof typ === "string" ? typ : "",
      algorithm,
      key: await known.thumbprintFor(protectedHeader),
      claims: payload,
    };
  };

  async function verify(token: string): Promise<TokenRecord> {
    requireCanonical(token);
    if (keySet === undefined) await issuerKeys?.refresh();
    const before = generation;
    try {
      return await verifyOnce(token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await issuerKeys?.refresh();
      if (generation === before) throw error;
      return verifyOnce(token);
    }
  }

  return {
    get generation() {
      return generation;
    },
    async verify(token) {
      try {
        const record = await verify(token);
        requireType(record.type, options.types);
        return readClaims(record, now());
      } catch (error) {
        if (error instanceof StoreError) throw error;
        const reason = error instanceof TokenRefusal ? error.reason : reasonOf(error);
        observer.refused(reason);
        const cause = new TokenRefusal(reason, statedBy(token));
        throw new StoreError("unauthorized", "The token is not valid.", { reason, cause });
      }
    },
    async verifyAgain(record) {
      if (keySet?.has(record.key) !== true) await issuerKeys?.refresh();
      return judgeAgain(record, requireKeys(), options, now());
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    reload(set) {
      if (set === undefined) {
        void issuerKeys?.refresh({ atOnce: true });
        return;
      }
      use(set);
      observer.loaded(set.keys.length);
    },
    async [Symbol.asyncDispose]() {
      await issuerKeys?.[Symbol.asyncDispose]();
    },
  };
}

/**
 * The decoder ignores spaces, padding and the last bits of a signature, so that many texts would be the same token. Header
 * and payload are signed as text.
 */
function requireCanonical(token: string): void {
  const signature = /^[\w-]+\.[\w-]+\.([\w-]+)$/.exec(token)?.[1];
  if (signature === undefined || Buffer.from(signature, "base64url").toString("base64url") !== signature)
    throw new TokenRefusal("malformed");
}

function judgeAgain(record: TokenRecord, keys: KeySet, options: JwtVerifierOptions, now: number): VerifiedToken {
  try {
    if (!keys.has(record.key)) throw new TokenRefusal("key");
    requireSettings(record, options);
    return readClaims(record, now);
  } catch (cause) {
    if (!(cause instanceof TokenRefusal)) throw cause;
    throw new StoreError("unauthorized", "The token is not valid any more.", { reason: cause.reason, cause });
  }
}

/** Of a token that was verified by the settings of an earlier start. */
function requireSettings(record: TokenRecord, { issuer, audiences, algorithms, types }: JwtVerifierOptions): void {
  const { iss, aud } = record.claims;
  if (!algorithms.some((algorithm) => algorithm === record.algorithm)) throw new TokenRefusal("algorithm");
  requireType(record.type, types);
  if (issuer !== undefined && iss !== issuer) throw new TokenRefusal("issuer");
  const given: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.some((audience) => given.includes(audience))) throw new TokenRefusal("audience");
}

/** RFC 7515, 4.1.9: case does not matter, and `application/` may be left out. */
function requireType(given: string, types: readonly TokenType[]): void {
  const type = given.toLowerCase().replace(/^application\//, "");
  if (!types.some((known) => known.toLowerCase() === type)) throw new TokenRefusal("type");
}

/** The last time that answers can write. */
const END_OF_TIME = Date.UTC(10_000, 0) - 1;
const MAX_SUBJECT_LENGTH = 255;
// Controls, format characters such as those for text direction, line separators, lone surrogates.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
const isSafe = (text: string): boolean => text !== "" && text.length <= MAX_SUBJECT_LENGTH && !UNSAFE.test(text);
/** An ID token says who signed in to an application. It is not meant for a service, even where the audience is the same. */
const ONLY_IN_ID_TOKENS = ["nonce", "at_hash", "c_hash"];

function readClaims(record: TokenRecord, now: number): VerifiedToken {
  const { claims } = record;
  const { exp, iat, iss, sub, typ, token_use: use } = claims;
  // Bound to a key of its client (RFC 7800, DPoP). The store does not ask for a proof of it, so a thief could send it too.
  if (Object.hasOwn(claims, "cnf")) throw new TokenRefusal("bound");
  if (ONLY_IN_ID_TOKENS.some((name) => Object.hasOwn(claims, name)) || typ === "ID" || use === "id")
    throw new TokenRefusal("id_token");
  if (typeof exp !== "number" || !Number.isFinite(exp)) throw new TokenRefusal("malformed");
  // No leeway: a client renews its token before it expires, and a withdrawn one should not live longer.
  if (exp * 1000 <= now) throw new TokenRefusal("expired");
  if (iat !== undefined && typeof iat !== "number") throw new TokenRefusal("malformed");
  if (iat !== undefined && iat > now / 1000 + LEEWAY) throw new TokenRefusal("not_yet_valid");
  // `#` separates issuer and subject where both are one text.
  if (iss !== undefined && (typeof iss !== "string" || !isSafe(iss) || iss.includes("#")))
    throw new TokenRefusal("issuer");
  if (typeof sub !== "string" || !isSafe(sub)) throw new TokenRefusal("subject");
  return { issuer: iss, subject: sub, expiresAt: Math.min(Math.floor(exp * 1000), END_OF_TIME), claims, record };
}

const REASON_BY_CLAIM: Readonly<Record<string, RefusalReason>> = {
  aud: "audience",
  iss: "issuer",
  sub: "subject",
  nbf: "not_yet_valid",
};

function reasonOf(error: unknown): RefusalReason {
  if (error instanceof errors.JWTExpired) return "expired";
  if (error instanceof errors.JWTClaimValidationFailed) return REASON_BY_CLAIM[error.claim] ?? "malformed";
  if (error instanceof errors.JOSEAlgNotAllowed) return "algorithm";
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) return "key";
  if (error instanceof errors.JWSSignatureVerificationFailed) return "signature";
  return "malformed";
}

const MAX_STATED_LENGTH = 128;

/** What a refused token says of itself, for the log. */
const statedBy = (token: string) => ({
  kid: textOf(() => decodeProtectedHeader(token).kid),
  issuer: textOf(() => decodeJwt(token).iss),
});

function textOf(read: () => unknown): string | undefined {
  try {
    const value = read();
    return typeof value === "string" ? printable(value.slice(0, MAX_STATED_LENGTH)) : undefined;
  } catch {
    return undefined;
  }
}

/** It could send control sequences to the terminal that shows the log. */
const printable = (text: string): string => text.replaceAll(/[^\u0020-\u007e]/g, "?");
