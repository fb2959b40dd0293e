import { CatalogOpenError } from "../adapters/catalog/open-error.ts";
import { ConfigError, parseConfig } from "../config.ts";
import { type Arguments, parseArguments, UsageError } from "./arguments.ts";
import { helpText } from "./help.ts";
import { KEY_EXPLANATION, makeKey } from "./key.ts";
import { EXIT, type Surroundings } from "./surroundings.ts";

/** The whole command line; answers the exit code. Commands load what they need when they run. */
export async function run(surroundings: Surroundings): Promise<number> {
  const { err } = surroundings;
  try {
    return await dispatch(parseArguments(surroundings.argv), surroundings);
  } catch (error) {
    if (error instanceof UsageError) {
      err(`${error.message}\nimage-store help tells what there is.\n`);
      return EXIT.usage;
    }
    if (error instanceof ConfigError) {
      err(`${error.message}\n${error.problems.map((problem) => `- ${problem}\n`).join("")}`);
      return EXIT.usage;
    }
    if (error instanceof CatalogOpenError && ["newer_version", "older_version"].includes(error.reason)) {
      err(`${error.message}\n`);
      return EXIT.usage;
    }
    err(`image-store: ${error instanceof Error ? error.message : String(error)}\n`);
    return EXIT.failed;
  }
}

async function dispatch(args: Arguments, surroundings: Surroundings): Promise<number> {
  const { out, err } = surroundings;
  if (args.command === "check" || args.command === "epoch" || args.command === "serve") {
    const config = parseConfig({ ...surroundings, flags: args.flags });
    if (args.command === "epoch") return (await import("./epoch.ts")).printEpoch(config, args, surroundings);
    if (args.command === "check") return (await import("./check/check.ts")).check(config, args, surroundings);
    return (await import("./serve.ts")).serve(config, surroundings);
  }
  if (args.command === "backup" || args.command === "restore") return backupOrRestore(args, surroundings);
  if (args.command === "help") out(helpText());
  if (args.command === "version") out(`${(await import("./version.ts")).VERSION}\n`);
  if (args.command === "openapi") out((await import("../app.ts")).describeApi());
  if (args.command === "key") {
    const { key, line } = makeKey(args);
    out(`${key}\n${line}\n`);
    err(KEY_EXPLANATION);
  }
  return EXIT.ok;
}

async function backupOrRestore({ command, flags, ...args }: Arguments, surroundings: Surroundings): Promise<number> {
  const { folder } = args;
  if (folder === undefined || folder === "") throw new UsageError(`image-store ${command} needs a folder.`);
  const config = parseConfig({ ...surroundings, flags });
  if (command === "backup")
    return (await import("./backup/backup.ts")).backup(config, { ...args, folder }, surroundings);
  return (await import("./backup/restore.ts")).restore(config, { ...args, folder }, surroundings);
}
