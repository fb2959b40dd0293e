/** What a valid token says. */
export interface VerifiedToken {
  /** The `iss` claim, where there is one. */
  readonly issuer: string | undefined;
  readonly subject: string;
  /** The `exp` claim, in milliseconds since 1970. */
  readonly expiresAt: number;
  readonly claims: Claims;
  readonly record: TokenRecord;
}

/** All that a token says but its signature: enough to judge it again, and nothing that a client could send. */
export interface TokenRecord {
  /** The header's `typ`, and its `alg`. */
  readonly type: string;
  readonly algorithm: string;
  /** The thumbprint (RFC 7638) of the public key that verified its signature. */
  readonly key: string;
  readonly claims: Claims;
}

export type Claims = Readonly<Record<string, unknown>>;

/** The `typ` headers of access tokens: that of RFC 9068, and that of issuers that are older than it. */
export const TOKEN_TYPES = ["at+jwt", "JWT"] as const;
export type TokenType = (typeof TOKEN_TYPES)[number];

/** Signatures with a public key. The first few are what issuers use; no symmetric algorithm is here, nor `none`. */
export const TOKEN_ALGORITHMS = [
  "RS256",
  "PS256",
  "ES256",
  "EdDSA",
  "Ed25519",
  "RS384",
  "RS512",
  "PS384",
  "PS512",
  "ES384",
  "ES512",
] as const;
export type TokenAlgorithm = (typeof TOKEN_ALGORITHMS)[number];

/** Public keys (RFC 7517), as an issuer publishes them. */
export interface JsonWebKeySet {
  readonly keys: readonly JsonWebKey[];
}

export interface JsonWebKey extends Readonly<Record<string, unknown>> {
  readonly kty: string;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Whether the keys that are found there can be trusted: on the way from another machine, only TLS protects them. */
export const isTrustedUrl = ({ protocol, hostname }: URL): boolean =>
  protocol === "https:" || (protocol === "http:" && LOOPBACK.test(hostname));

/** Why a token is refused. Values of a metric's label, so there are few. */
export type RefusalReason =
  | "malformed"
  | "type"
  | "algorithm"
  | "key"
  | "signature"
  | "issuer"
  | "audience"
  | "subject"
  | "expired"
  | "not_yet_valid"
  | "id_token"
  | "bound";

/** The cause of an `unauthorized`: for the log, and never for the client. */
export class TokenRefusal extends Error {
  readonly reason: RefusalReason;
  /** As the token states them, unverified and cut. */
  readonly kid: string | undefined;
  readonly issuer: string | undefined;

  constructor(reason: RefusalReason, stated: { kid?: string | undefined; issuer?: string | undefined } = {}) {
    super(`The token is refused: ${reason}.`);
    this.name = "TokenRefusal";
    this.reason = reason;
    this.kid = stated.kid;
    this.issuer = stated.issuer;
  }
}

/** A part of an album's name: text, or the value of the claim of that name. */
export type TemplatePart = string | { readonly claim: string };

/** A pattern of album names that holds claims: `u-{sub}-*`. */
export interface AlbumTemplate {
  /** As it was written. */
  readonly text: string;
  /** Neighbours are never both claims. */
  readonly parts: readonly TemplatePart[];
  /** Whether `*` follows the parts. Then the last part is text. */
  readonly isPrefix: boolean;
}
