import { dirname } from "node:path";
import { lockFolder } from "../adapters/catalog/sqlite/lock.ts";
import type { Config } from "../config.ts";
import { openCatalog } from "../stores.ts";
import { EXIT, type Surroundings } from "./surroundings.ts";

/**
 * Prints the epoch of the log, after it has begun a new one where `renew`: for a catalog that was brought back to an
 * earlier point, before a node runs on it.
 * @throws Error where there is no store, or a new epoch would come while it is served
 */
export async function printEpoch(
  config: Config,
  { renew }: { readonly renew: boolean },
  { out }: Pick<Surroundings, "out">,
): Promise<number> {
  const failure = Promise.withResolvers<never>();
  // It may come when nobody waits for it any more.
  failure.promise.catch(() => {});
  await using catalog = await openCatalog(config, { as: "beside", onFatal: failure.reject });
  if (!renew) {
    out(`${(await catalog.log()).epoch}\n`);
    return EXIT.ok;
  }
  // A server that has it to itself has no lease that would tell of it.
  using _ = config.catalog.kind === "sqlite" ? lockFolder(dirname(config.catalog.path)) : undefined;
  const { epoch } = await Promise.race([catalog.write({ type: "renewEpoch" }), failure.promise]);
  if (epoch === null)
    throw new Error("Nodes run on this catalog, or did seconds ago: stop them, and run this again before they start.");
  out(`${epoch}\n`);
  return EXIT.ok;
}
