import type { EnsureLinkKey } from "../../../domain/change.ts";
import type { LinkKey } from "../../../domain/link.ts";
import type { Driver } from "../driver.ts";
import type { ChangeContext } from "./context.ts";

export async function ensureLinkKey(db: Driver, context: ChangeContext, { id, secret }: EnsureLinkKey) {
  const known = await findLinkKey(db);
  if (known !== undefined) return known;
  await db.run(
    "insert into link_keys (singleton, id, secret, created_at) values (1, $1, $2, $3) on conflict (singleton) do nothing",
    [id, secret, context.now],
  );
  return (await findLinkKey(db)) as LinkKey;
}

const findLinkKey = (db: Driver) => db.get<LinkKey>("select id, secret from link_keys");
