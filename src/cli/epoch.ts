import { dirname } from "node:path";
import { lockFolder } from "../adapters/catalog/sqlite/lock.ts";
import type { Config } from "../config.ts";
import { openOwnBlobs } from "../stores.ts";
import { type CliContext, EXIT } from "./context.ts";
import { openCatalogBeside } from "./store.ts";

/**
 * Prints the epoch of the event log. `renew` begins a new epoch first: for a catalog that was restored to an earlier point,
 * before a server starts on it. `pauseWebhooks`, of a copy: it sends nothing.
 * @throws Error if there is no store, or if `renew` is given while the store is served; StoreOpenError if the blobs belong to
 * another store
 */
export async function printEpoch(
  config: Config,
  { renew, pauseWebhooks, json }: { readonly renew: boolean; readonly pauseWebhooks: boolean; readonly json: boolean },
  { out }: Pick<CliContext, "out">,
): Promise<number> {
  await using opened = await openCatalogBeside(config);
  const { catalog, failure } = opened;
  const print = (epoch: number | string) => out(json ? `${JSON.stringify({ epoch })}\n` : `${epoch}\n`);
  if (!renew) {
    print((await catalog.log()).epoch);
    return EXIT.ok;
  }
  // The database of another store, restored by mistake, must not get the new epoch.
  await (await openOwnBlobs(config, catalog, "beside"))[Symbol.asyncDispose]();
  // An embedded server holds this lock; nodes hold leases, which the change looks at.
  using _ = config.catalog.kind === "sqlite" ? lockFolder(dirname(config.catalog.path)) : undefined;
  const { epoch } = await Promise.race([catalog.write({ type: "renewEpoch", pauseWebhooks }), failure]);
  if (epoch === null)
    throw new Error("Nodes use this catalog, or did seconds ago. Stop them, and run this again before they start.");
  print(epoch);
  return EXIT.ok;
}
