import type { Caller } from "./caller.ts";
import type { ConfiguredKey } from "./credential.ts";
import type { TokenRecord } from "./token.ts";

/** A browser that signed in. */
export interface Session {
  readonly id: string;
  readonly expiresAt: string;
}

/**
 * What a session was made with, and what it is now, also when that is changed, revoked or withdrawn. `configured` is a key of the
 * configuration.
 */
export type SessionOrigin =
  | { readonly kind: "key" | "share"; readonly id: string }
  | { readonly kind: "configured"; readonly key: ConfiguredKey }
  | ({ readonly kind: "token"; readonly token: TokenRecord } & Pick<Caller, "id" | "name">);

export const MAX_SESSION_LIFE_MS = 12 * 3_600_000;

/** The caller of a session, by the caller that it was made with. Its name is that of its base. */
export const sessionCaller = (id: string, { kind, id: baseId, name, grants, chargedTo }: Caller): Caller => ({
  kind: "session",
  id,
  name,
  grants,
  base: { kind, id: baseId },
  ...(chargedTo === undefined ? {} : { chargedTo }),
});
