import type { ConfiguredKey, Credential } from "../../../domain/credential.ts";
import { type SessionOrigin, sessionCaller } from "../../../domain/session.ts";
import type { Driver } from "../driver.ts";

interface SessionRow {
  readonly sha256: string;
  readonly base_kind: "key" | "share" | "configured" | "token";
  readonly base_id: string | null;
  /** Of a token: the caller that it was. Of a key of the configuration: which it is. */
  readonly caller: string | null;
  readonly expires_at: number;
}

type TokenOrigin = Partial<Pick<Extract<SessionOrigin, { kind: "token" }>, "token">> & { readonly name: string | null };
type FindBase = (kind: "key" | "share", id: string) => Promise<Credential | undefined>;

/** A session ends with what it was made with. Undefined as well when that is gone. */
export async function findSessionCredential(
  db: Driver,
  id: string,
  findBase: FindBase,
): Promise<Credential | undefined> {
  const row = await db.get<SessionRow>(
    "select sha256, base_kind, base_id, caller, expires_at from sessions where id = $1",
    [id],
  );
  if (row === undefined) return undefined;
  const { sha256, base_kind: kind, base_id: baseId, expires_at: expiresAt } = row;
  const session = { kind: "session", id, sha256 } as const;
  if (kind === "token" || kind === "configured") {
    // An earlier version did not keep what the token says, nor which key it was.
    if (row.caller === null) return undefined;
    if (kind === "configured") {
      const configuredKey = JSON.parse(row.caller) as ConfiguredKey;
      const { name } = configuredKey;
      const caller = sessionCaller(id, { kind: "key", id: name, name, grants: [] });
      return { ...session, caller, expiresAt, isRevoked: false, configuredKey };
    }
    const { name, token } = JSON.parse(row.caller) as TokenOrigin;
    if (token === undefined) return undefined;
    const caller = sessionCaller(id, { kind: "token", id: baseId, name, grants: [] });
    return { ...session, caller, expiresAt, isRevoked: false, token };
  }
  if (baseId === null) return undefined;
  const base = await findBase(kind, baseId);
  return (
    base && {
      ...session,
      caller: sessionCaller(id, base.caller),
      expiresAt: Math.min(expiresAt, base.expiresAt ?? Infinity),
      isRevoked: base.isRevoked,
    }
  );
}
