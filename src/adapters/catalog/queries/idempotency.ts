import type { Idempotency } from "../../../domain/change.ts";
import type { Driver } from "../driver.ts";

export const hasAnswered = async (db: Driver, { scope, key }: Pick<Idempotency, "scope" | "key">): Promise<boolean> =>
  (await db.get("select 1 from idempotency where scope = $1 and key = $2", [scope, key])) !== undefined;
