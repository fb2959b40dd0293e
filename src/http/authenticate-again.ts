import type { CallerKind } from "../domain/access.ts";
import type { Caller } from "../domain/caller.ts";
import type { Identity } from "../domain/credential.ts";
import { StoreError } from "../domain/errors.ts";

export interface AuthenticateAgainDeps {
  readonly identify: (request: Request) => Identity | Promise<Identity>;
  /** Makes sure that what is known of credentials is recent. @throws StoreError `unavailable` */
  readonly confirm: () => void | Promise<void>;
  readonly onChange: (listener: () => void) => unknown;
}

/** Finds out again who calls, if any access has changed since the request began. */
export interface AuthenticateAgain {
  /** Grows when the access of any client may have changed. */
  changes(): number;
  /**
   * Who calls, long after it was told to be `identity`. Credentials that expired meanwhile still count.
   * @param since the changes when it was told
   * @throws StoreError `unauthorized` or `session_ended` for credentials that were revoked; `unavailable`
   */
  authenticateAgain(request: Request, identity: Identity, since: number): Promise<Caller>;
}

/** Kinds of callers whose credentials may change. */
const CHANGING: ReadonlySet<CallerKind> = new Set(["key", "token", "session", "share"]);

/** Follows changes for as long as the store serves. */
export function createAuthenticateAgain({ identify, confirm, onChange }: AuthenticateAgainDeps): AuthenticateAgain {
  let changes = 0;
  onChange(() => {
    changes += 1;
  });
  return {
    changes: () => changes,
    async authenticateAgain(request, identity, since) {
      const { caller } = identity;
      if (!CHANGING.has(caller.kind)) return caller;
      await confirm();
      if (changes === since) return caller;
      try {
        return (await identify(request)).caller;
      } catch (error) {
        if (error instanceof StoreError && error.reason === "expired") return caller;
        throw error;
      }
    },
  };
}
