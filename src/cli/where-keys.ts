import { type Arguments, seeHelp, UsageError } from "./arguments.ts";
import type { CliContext } from "./context.ts";
import { profilePath } from "./remote/connection.ts";

/** Settings that say which catalog is meant. */
const OF_CATALOG = ["IMAGE_STORE_DATA", "IMAGE_STORE_CATALOG_URL"];
const OF_API = ["IMAGE_STORE_URL", "IMAGE_STORE_KEY"];

/**
 * Whether a command on keys works on the catalog of the store, or by its API. What the command line says comes before the environment, and that
 * before the profile.
 * @throws UsageError
 */
export function isOnCatalog({ command, flags, values }: Arguments, { env, readFile }: CliContext): boolean {
  const isApi = values["url"] !== undefined || values["key"] !== undefined;
  if (flags["data"] !== undefined && isApi)
    throw new UsageError(`--data is for the catalog, and --url and --key are for the API. ${seeHelp(command)}`);
  if (isApi || flags["data"] !== undefined) return !isApi;
  const has = (names: readonly string[]) => names.some((name) => Boolean(env[name]));
  if (has(OF_API)) return false;
  return has(OF_CATALOG) || !hasProfile({ env, readFile });
}

function hasProfile({ env, readFile }: Pick<CliContext, "env" | "readFile">): boolean {
  try {
    return readFile(profilePath(env)) !== undefined;
  } catch {
    return false;
  }
}
