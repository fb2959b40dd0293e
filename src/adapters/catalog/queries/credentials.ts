import type { AccessState, Credential, CredentialKind } from "../../../domain/credential.ts";
import { type GrantRecord, toGrant } from "../../../domain/grant.ts";
import type { Driver } from "../driver.ts";
import { findSessionCredential } from "./sessions.ts";
import { findShareCredential } from "./shares.ts";

type Find = (db: Driver, id: string) => Promise<Credential | undefined>;

const FINDERS: Readonly<Record<CredentialKind, Find>> = {
  key: findKeyCredential,
  share: findShareCredential,
  session: (db, id) => findSessionCredential(db, id, (kind, baseId) => FINDERS[kind](db, baseId)),
};

export const findCredential = (db: Driver, kind: CredentialKind, id: string): Promise<Credential | undefined> =>
  FINDERS[kind](db, id);

async function findKeyCredential(db: Driver, id: string): Promise<Credential | undefined> {
  const row = await db.get<{
    name: string;
    sha256: string;
    grants: string;
    expires_at: number | null;
    revoked_at: number | null;
  }>("select name, sha256, grants, expires_at, revoked_at from keys where id = $1", [id]);
  if (row === undefined) return undefined;
  return {
    kind: "key",
    id,
    sha256: row.sha256,
    caller: {
      kind: "key",
      id,
      name: row.name,
      grants: (JSON.parse(row.grants) as GrantRecord[]).map(toGrant),
      chargedTo: id,
    },
    expiresAt: row.expires_at,
    isRevoked: row.revoked_at !== null,
  };
}

export async function accessState(db: Driver): Promise<AccessState> {
  const row = await db.get<{ revision: number; keys: number }>(
    "select revision, case when exists (select 1 from keys) then 1 else 0 end as keys from access_state where id = 1",
  );
  return { revision: row?.revision ?? 0, hasKeys: row?.keys === 1 };
}
