import type { JsonWebKeySet, TokenRecord, VerifiedToken } from "../domain/token.ts";

/** Tells whether a token (JWT) of another login is valid, and what it says. */
export interface TokenVerifier extends AsyncDisposable {
  /** Grows with every change of the keys. What was verified before may have been signed by a key that is no longer there. */
  readonly generation: number;
  /**
   * @throws StoreError `unauthorized` for a token that is not valid, with a TokenRefusal as its cause; `unavailable` while
   * no keys are known, since the issuer has not responded yet
   */
  verify(token: string): Promise<VerifiedToken>;
  /**
   * Judges a token that was verified before, by the keys and the settings as they are now.
   * @throws StoreError as {@link verify} does
   */
  verifyAgain(record: TokenRecord): Promise<VerifiedToken>;
  /** Calls back when the keys have changed. Returns the function that ends it. */
  onChange(listener: () => void): () => void;
  /** Takes other keys of the configuration. Without any, it asks the issuer for its keys; failures are told to the observer. */
  reload(keys: JsonWebKeySet | undefined): void;
}

/** How the page signs people in at the issuer of tokens: authorization code with PKCE, by a public client. */
export interface Login {
  /**
   * Where the issuer's endpoints are, as it says now, or as it said last while it is down.
   * @throws StoreError `unavailable` when it has not responded yet
   */
  find(): Promise<FoundLogin>;
}

export interface FoundLogin {
  readonly issuer: string;
  readonly clientId: string;
  readonly scope: string;
  /** With the parameters that the configuration adds. */
  readonly authorizationUrl: string;
  readonly tokenUrl: string;
}
