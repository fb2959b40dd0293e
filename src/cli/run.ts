import { ConfigError, parseConfig } from "../config.ts";
import { StoreError } from "../domain/errors.ts";
import { StoreOpenError } from "../domain/open-error.ts";
import { type Arguments, optionValues, parseArguments, seeHelp, UsageError } from "./arguments.ts";
import { COMMAND_NAMES } from "./commands.ts";
import { type CliContext, EXIT } from "./context.ts";
import { helpDocument, helpText } from "./help.ts";
import { KEY_EXPLANATION, makeKey } from "./key.ts";
import { isRemote } from "./remote/commands.ts";
import { isOnCatalog } from "./where-keys.ts";

/** Runs the command line and returns the exit code. A command loads its modules when it runs. */
export async function run(context: CliContext): Promise<number> {
  const { err } = context;
  try {
    return await dispatch(parseArguments(context.argv), context);
  } catch (error) {
    if (error instanceof UsageError) {
      err(`${error.message}\n`);
      return EXIT.usage;
    }
    if (error instanceof ConfigError) {
      err(`${error.message}\n${error.problems.map((problem) => `- ${problem}\n`).join("")}`);
      return EXIT.usage;
    }
    err(`image-store: ${describeFailure(error)}\n`);
    // Another process may release the folder; any other reason needs a change by the operator.
    return error instanceof StoreOpenError && error.reason !== "folder_in_use" ? EXIT.usage : EXIT.failed;
  }
}

/** The message; for a StoreError, whose message is written for clients, also its cause. */
function describeFailure(error: unknown): string {
  if (!(error instanceof StoreError)) return error instanceof Error ? error.message : String(error);
  const { message, cause } = error;
  if (cause instanceof Error) return `${message} Cause: ${describeFailure(cause)}`;
  return typeof cause === "string" ? `${message} Cause: ${cause}` : message;
}

async function dispatch(args: Arguments, context: CliContext): Promise<number> {
  const { out } = context;
  const { command, json } = args;
  if (command === "check" || command === "epoch" || command === "serve") {
    const readConfig = () => parseConfig({ ...context, flags: args.flags });
    const config = readConfig();
    if (command === "epoch") return (await import("./epoch.ts")).printEpoch(config, args, context);
    if (command === "check") return (await import("./check/check.ts")).check(config, args, context);
    return (await import("./serve.ts")).serve(config, readConfig, context);
  }
  if (command === "backup" || command === "restore") return backupOrRestore(args, context);
  if (command === "help") printHelp(args, context);
  if (command === "version") {
    const { VERSION } = await import("../version.ts");
    out(json ? `${JSON.stringify({ version: VERSION })}\n` : `${VERSION}\n`);
  }
  if (command === "openapi") {
    const text = (await import("../app.ts")).describeApi();
    out(json ? `${JSON.stringify(JSON.parse(text))}\n` : text);
  }
  if (command === "key create" || command === "key list" || command === "key revoke") {
    if (!isOnCatalog(args, context)) return (await import("./remote/run.ts")).runRemote(command, args, context);
    const config = parseConfig({ ...context, flags: args.flags });
    const call = { ...optionValues(args.values), command, operands: args.operands };
    return (await import("./keys.ts"))[KEY_ACTIONS[command]](config, call, context);
  }
  if (command === "completion") return (await import("./completion/run.ts")).printScript(args, context);
  if (command === "complete") return (await import("./completion/run.ts")).printCandidates(args, context);
  if (command === "key entry") return printEntry(args, context);
  if (command === "key show" || command === "key update" || isRemote(command))
    return (await import("./remote/run.ts")).runRemote(command, args, context);
  return EXIT.ok;
}

const KEY_ACTIONS = { "key create": "createKey", "key list": "listKey", "key revoke": "revokeKey" } as const;

function printHelp({ topic, json }: Arguments, { out }: CliContext): void {
  if (!json) return out(helpText(topic));
  const names = COMMAND_NAMES.filter((name) => topic === undefined || name === topic || name.startsWith(`${topic} `));
  for (const name of names) out(`${JSON.stringify(helpDocument(name))}\n`);
}

function printEntry({ operands, values, json }: Arguments, { out, err }: CliContext): number {
  const { key, line } = makeKey({ keyName: operands[0], rights: optionValues(values).text("rights") });
  out(json ? `${JSON.stringify({ key, entry: line })}\n` : `${key}\n${line}\n`);
  err(KEY_EXPLANATION);
  return EXIT.ok;
}

async function backupOrRestore({ command, flags, ...args }: Arguments, context: CliContext): Promise<number> {
  const { folder } = args;
  if (folder === undefined || folder === "")
    throw new UsageError(`"${command}" needs a folder: image-store ${command} DIR. ${seeHelp(command)}`);
  const config = parseConfig({ ...context, flags });
  if (command === "backup") return (await import("./backup/backup.ts")).backup(config, { ...args, folder }, context);
  return (await import("./backup/restore.ts")).restore(config, { ...args, folder }, context);
}
