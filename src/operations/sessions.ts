import type { Identity } from "../domain/credential.ts";
import { StoreError } from "../domain/errors.ts";
import { MAX_SESSION_LIFE_MS, type Session, type SessionOrigin } from "../domain/session.ts";

import type { Credentials } from "./credentials.ts";
import type { RequestCatalog } from "./request-catalog.ts";
import { makeSecret, parseSecret } from "./secrets.ts";

export interface SessionDeps {
  readonly catalog: Pick<RequestCatalog, "write">;
  readonly credentials: Pick<Credentials, "identify" | "refresh">;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** What signing in needs. */
export interface SignIn {
  readonly identity: Identity;
  /** At most so many milliseconds. */
  readonly life: number;
  /** The secret of the session that the client had before. */
  readonly replaces: string | undefined;
}

/**
 * Makes a session that stands for the identity, and returns its secret, which the store does not keep. The session is always
 * new, which prevents session fixation, and the previous one ends. It does not outlive what it stands for.
 * @throws StoreError `unauthorized`, `forbidden`
 */
export async function createSession(
  { catalog, credentials }: SessionDeps,
  { identity, life, replaces }: SignIn,
): Promise<Session & { readonly secret: string }> {
  const origin = originOf(identity);
  const replaced = replaces === undefined ? undefined : await findSession(credentials, replaces);
  const { id, sha256, text } = makeSecret("session");
  const session = await catalog.write({
    type: "createSession",
    id,
    sha256,
    origin,
    life: Math.min(life, MAX_SESSION_LIFE_MS),
    endsBy: identity.expiresAt,
    ...(replaced === undefined ? {} : { replaces: replaced }),
  });
  if (replaced !== undefined) await credentials.refresh();
  return { ...session, secret: text };
}

function originOf({ caller, configuredKey, token }: Identity): SessionOrigin {
  const { kind, id, name } = caller;
  if (token !== undefined && kind === "token") return { kind, id, name, token };
  if (kind === "session") throw new StoreError("forbidden", "A session cannot be made with a session.");
  if (id === null || (kind !== "key" && kind !== "share"))
    throw new StoreError(
      "unauthorized",
      "To sign in, send a key, a token or the secret of a share in the Authorization header.",
    );
  return configuredKey === undefined ? { kind, id } : { kind: "configured", key: configuredKey };
}

/**
 * Ends the session with this secret, if there is one. It gives nothing more on this node when this resolves, and within two
 * seconds on every other.
 */
export async function deleteSession({ catalog, credentials }: SessionDeps, secret: string): Promise<void> {
  const id = await findSession(credentials, secret);
  if (id === undefined) return;
  await catalog.write({ type: "deleteSession", id });
  await credentials.refresh();
}

/** Its id, which is in events and so is not enough to end it. */
async function findSession(credentials: SessionDeps["credentials"], text: string): Promise<string | undefined> {
  const secret = parseSecret(text);
  if (secret?.kind !== "session") return undefined;
  try {
    return (await credentials.identify({ ...secret, kind: "session" })).caller.id ?? undefined;
  } catch (error) {
    if (error instanceof StoreError && error.code === "unauthorized") return undefined;
    throw error;
  }
}
