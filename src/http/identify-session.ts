import type { Grant } from "../domain/caller.ts";
import type { ConfiguredKey, Identity } from "../domain/credential.ts";
import { StoreError } from "../domain/errors.ts";
import type { Credentials } from "../operations/credentials.ts";
import { parseSecret } from "../operations/secrets.ts";
import type { TokenCallers } from "../operations/token-callers.ts";

export interface SessionIdentityDeps {
  readonly credentials: Pick<Credentials, "identify">;
  /** What a key of the configuration gives now, which the catalog does not know; undefined where it is no more, or was replaced. */
  readonly grantsOfConfiguredKey: (key: ConfiguredKey) => readonly Grant[] | undefined;
  /** Undefined: no tokens are accepted. */
  readonly tokens: Pick<TokenCallers, "findAgain"> | undefined;
}

/**
 * Who has the session with this secret.
 * @throws StoreError `session_ended`, after which the answer removes the cookie; `unavailable`
 */
export async function identifySession(
  { credentials, grantsOfConfiguredKey, tokens }: SessionIdentityDeps,
  text: string,
): Promise<Identity> {
  const secret = parseSecret(text);
  if (secret?.kind !== "session") throw sessionEnded("malformed");
  const identity = await orEnded(() => credentials.identify({ ...secret, kind: "session" }));
  const { configuredKey, token, caller } = identity;
  if (configuredKey === undefined && token === undefined) return identity;
  const grants =
    configuredKey !== undefined
      ? grantsOfConfiguredKey(configuredKey)
      : token && tokens && (await orEnded(() => tokens.findAgain(token))).caller.grants;
  if (grants === undefined) throw sessionEnded("revoked");
  return { ...identity, caller: { ...caller, grants } };
}

async function orEnded(find: () => Identity | Promise<Identity>): Promise<Identity> {
  try {
    return await find();
  } catch (error) {
    if (error instanceof StoreError && error.code === "unauthorized") throw sessionEnded(error.reason ?? "unknown");
    throw error;
  }
}

const sessionEnded = (reason: string) =>
  new StoreError("session_ended", "The session has ended. Sign in again.", { reason });
