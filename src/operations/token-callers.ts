import type { Grant } from "../domain/caller.ts";
import type { Identity } from "../domain/credential.ts";
import type { TokenRecord, VerifiedToken } from "../domain/token.ts";
import { createTokenGrants, type TokenRule } from "../domain/token-rules.ts";
import type { TokenVerifier } from "../ports/token-verifier.ts";
import { digestOf } from "./secrets.ts";

export interface TokenCallersOptions {
  readonly verifier: Pick<TokenVerifier, "verify" | "verifyAgain" | "generation" | "onChange">;
  readonly rules: readonly TokenRule[];
  /** What every caller may do. */
  readonly grantsOfAll: readonly Grant[];
  /** A rule gave less than it says, since a value of one of these claims does not fit into its patterns. */
  readonly onUnfit?: (claims: readonly string[]) => void;
  /** In milliseconds since 1970. */
  readonly now?: () => number;
}

/** Who sends a token: what the rules grant to it. */
export interface TokenCallers {
  /**
   * A promise for a token that was not seen lately.
   * @throws StoreError `unauthorized`, with a TokenRefusal as its cause; `unavailable` while no keys are known
   */
  find(token: string): Identity | Promise<Identity>;
  /**
   * What the rules grant now to the session of a token.
   * @throws StoreError as {@link find} does, such as when the key that signed the token was withdrawn
   */
  findAgain(record: TokenRecord): Identity | Promise<Identity>;
  replaceRules(rules: readonly TokenRule[]): void;
  /** Calls back when the keys or the rules have changed. Returns the function that ends it. */
  onChange(listener: () => void): () => void;
}

/** Tokens that are remembered: some 20 MB. */
const CAPACITY = 10_000;

/**
 * A token that was verified is remembered by its digest until it expires, keys or rules change, or others displace it (the
 * least recently used first): verification costs more than most requests.
 */
export function createTokenCallers({
  verifier,
  rules,
  grantsOfAll,
  onUnfit = () => {},
  now = Date.now,
}: TokenCallersOptions): TokenCallers {
  type Remembered = Identity & { readonly expiresAt: number };
  const seen = new Map<string, Remembered>();
  let seenAgain = new WeakMap<TokenRecord, Remembered>();
  const listeners = new Set<() => void>();
  let generation = verifier.generation;
  let grantsOf = createTokenGrants(rules);

  const forget = (): void => {
    seen.clear();
    seenAgain = new WeakMap();
  };
  const followKeys = (): void => {
    if (verifier.generation === generation) return;
    generation = verifier.generation;
    forget();
  };

  function identityOf({ issuer = "", subject, claims, expiresAt, record }: VerifiedToken) {
    const { grants, unfit } = grantsOf(claims);
    if (unfit.length > 0) onUnfit(unfit);
    const caller = {
      kind: "token",
      id: `${issuer}#${subject}`,
      name: subject,
      grants: [...grants, ...grantsOfAll],
    } as const;
    return { caller, expiresAt, token: record };
  }

  async function verify(token: string, digest: string): Promise<Identity> {
    const [keys, evaluate] = [verifier.generation, grantsOf];
    const identity = identityOf(await verifier.verify(token));
    // What changed meanwhile has emptied the memory, and this may have been made by what was there before.
    if (verifier.generation !== keys || grantsOf !== evaluate) return identity;
    if (seen.size >= CAPACITY) for (const oldest of seen.keys()) if (seen.delete(oldest)) break;
    seen.set(digest, identity);
    return identity;
  }

  async function verifyAgain(record: TokenRecord): Promise<Identity> {
    const [keys, evaluate] = [verifier.generation, grantsOf];
    const identity = identityOf(await verifier.verifyAgain(record));
    if (verifier.generation === keys && grantsOf === evaluate) seenAgain.set(record, identity);
    return identity;
  }

  return {
    find(token) {
      followKeys();
      const digest = digestOf(token);
      const known = seen.get(digest);
      if (known === undefined) return verify(token, digest);
      seen.delete(digest);
      if (known.expiresAt <= now()) return verify(token, digest);
      seen.set(digest, known);
      return known;
    },
    findAgain(record) {
      followKeys();
      const known = seenAgain.get(record);
      return known === undefined || known.expiresAt <= now() ? verifyAgain(record) : known;
    },
    replaceRules(replacements) {
      grantsOf = createTokenGrants(replacements);
      forget();
      for (const listener of listeners) listener();
    },
    onChange(listener) {
      listeners.add(listener);
      const unsubscribe = verifier.onChange(listener);
      return () => {
        listeners.delete(listener);
        unsubscribe();
      };
    },
  };
}
