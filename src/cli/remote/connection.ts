import { chmod, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { type Client, createClient } from "../../../client/src/index.ts";
import { type OptionValues, seeHelp, UsageError } from "../arguments.ts";
import type { CommandName } from "../commands.ts";
import type { CliContext } from "../context.ts";

export interface Connection {
  readonly client: Client;
  readonly url: string;
  readonly key: string | undefined;
}

/** What a command that talks to a store gets. */
export interface RemoteCall extends Connection, OptionValues {
  readonly command: CommandName;
  readonly operands: readonly string[];
  readonly context: CliContext;
  /** Aborted when the user stops the command. */
  readonly signal: AbortSignal;
  /** Prints a document on its own line with `--json`, otherwise the text. Waits for a slow reader. */
  readonly print: (document: unknown, text: string) => Promise<void>;
}

interface Profile {
  readonly url: string;
  readonly key?: string;
}

export interface ConnectionOptions {
  readonly url: string | undefined;
  readonly key: string | undefined;
}

const LOCAL_URL = "http://127.0.0.1:8080";

/**
 * Option, then environment variable, then profile. The profile's key belongs to the profile's URL and is sent to no other.
 * @throws UsageError
 */
export function connect(
  command: CommandName,
  options: ConnectionOptions,
  { env, readFile }: Pick<CliContext, "env" | "readFile">,
): Connection {
  const givenUrl = options.url || env["IMAGE_STORE_URL"] || undefined;
  const givenKey = options.key || env["IMAGE_STORE_KEY"] || undefined;
  const profile = command === "login" || (givenUrl && givenKey) ? undefined : readProfile({ env, readFile });
  const url = parseStoreUrl(givenUrl ?? profile?.url ?? LOCAL_URL, command);
  const key = readKey(givenKey, readFile) ?? (profile?.url === url ? profile.key : undefined);
  return { client: createClient({ url, key }), url, key };
}

/** @throws UsageError */
export function parseStoreUrl(text: string, command: CommandName): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new UsageError(`"${text}" is not the URL of a store, such as ${LOCAL_URL}. ${seeHelp(command)}`);
  if (url.username !== "" || url.password !== "")
    throw new UsageError(`The URL of a store must not have a user name. Give the key with --key. ${seeHelp(command)}`);
  if (url.search !== "" || url.hash !== "")
    throw new UsageError(`The URL of a store must end with its path, without ? and #. ${seeHelp(command)}`);
  return url.href.replace(/\/+$/, "");
}

/** Where secrets come from. */
export const firstLineOf = (path: string, { readFile }: Pick<CliContext, "readFile">): string =>
  (readFile(path).split("\n", 1)[0] ?? "").trim();

/** `-` keeps the key out of the list of processes. */
function readKey(given: string | undefined, readFile: CliContext["readFile"]): string | undefined {
  const key = given === "-" ? firstLineOf("/dev/stdin", { readFile }) : given;
  if (key !== undefined && !/^[\x21-\x7e]+$/.test(key))
    throw new UsageError("The API key must have visible ASCII characters only, and at least one.");
  return key;
}

export function profilePath(env: CliContext["env"]): string {
  const config = env["XDG_CONFIG_HOME"] || join(env["HOME"] || homedir(), ".config");
  return join(config, "image-store", "profile.json");
}

function readProfile({ env, readFile }: Pick<CliContext, "env" | "readFile">): Profile | undefined {
  const path = profilePath(env);
  let text: string;
  try {
    text = readFile(path);
  } catch {
    return undefined;
  }
  try {
    const { url, key } = JSON.parse(text) as Partial<Record<string, unknown>>;
    if (typeof url === "string" && (key === undefined || typeof key === "string"))
      return { url, ...(key === undefined ? {} : { key }) };
  } catch {
    // Said below.
  }
  throw new UsageError(`The profile ${path} is damaged. Run "image-store login URL" to write it again.`);
}

/** Readable by the user alone, and whole or not there. */
export async function writeProfile(profile: Profile, env: CliContext["env"]): Promise<string> {
  const path = profilePath(env);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  try {
    await writeFile(temporary, `${JSON.stringify(profile)}\n`, { mode: 0o600, flag: "wx" });
    await chmod(temporary, 0o600);
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
  return path;
}
