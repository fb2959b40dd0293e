import type { ApiKey } from "./access.ts";
import type { Caller } from "./caller.ts";
import type { TokenRecord } from "./token.ts";

/** Who calls, as far as the store knows now. */
export interface Identity {
  readonly caller: Caller;
  /** Milliseconds since 1970; null: never. */
  readonly expiresAt: number | null;
  /** Of a client with a key of the configuration, or with a session made with one. For the latter, the configuration says what it may do. */
  readonly configuredKey?: ConfiguredKey;
  /** Of a token, and of a session made with one. The rules say what that session may do. */
  readonly token?: TokenRecord;
}

/** Which key of the configuration: another may take its name. */
export type ConfiguredKey = Pick<ApiKey, "name" | "sha256">;

/** The secrets of the store's own making that stand for a caller until they expire or are revoked. */
export type CredentialKind = "key" | "share" | "session";

/** What a secret stands for now. The catalog still knows one that was revoked or has expired, so the log can say which. */
export interface Credential extends Identity {
  readonly kind: CredentialKind;
  /** The part of the secret that is not secret. */
  readonly id: string;
  /** Of the whole secret, in lower-case hexadecimal. */
  readonly sha256: string;
  readonly isRevoked: boolean;
}

/** What the catalog knows of all credentials together. */
export interface AccessState {
  /** Changes with each change of a key, share or session. */
  readonly revision: number;
  /** Whether a key was ever made. Such a store stays closed to clients without one, even when all keys are revoked. */
  readonly hasKeys: boolean;
}

/** Uses of a credential since they were last reported. */
export interface CredentialUse {
  readonly kind: CredentialKind;
  readonly id: string;
  readonly count: number;
  /** Of the last one, in milliseconds since 1970. */
  readonly at: number;
}
