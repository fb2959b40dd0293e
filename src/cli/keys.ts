import type { Config } from "../config.ts";
import { LOCAL, requesterOf } from "../domain/caller.ts";
import { canonicalGrant, type GrantRecord, isTooLong } from "../domain/grant.ts";
import { makeSecret } from "../operations/secrets.ts";
import { seeHelp, UsageError } from "./arguments.ts";
import { type CliContext, EXIT } from "./context.ts";
import { type Given, lineOfKey, readAlbums, readExpiry, readKeyName, readLimits, readRights } from "./key-arguments.ts";
import { openCatalogBeside } from "./store.ts";

type KeyArguments = Given & { readonly operands: readonly string[] };
type Output = Pick<CliContext, "out" | "err">;

const by = requesterOf(LOCAL, "admin");

/**
 * Makes a key in the catalog, which it creates if this is the first command. Prints the secret alone to standard output.
 * @throws UsageError
 */
export async function createKey(config: Config, args: KeyArguments, { out, err }: Output): Promise<number> {
  const name = readKeyName(args, args.operands[0]);
  const grants = [requireGrant(args)];
  const expiresAt = readExpiry(args) ?? null;
  const { maxBytes = null, maxImages = null } = readLimits(args);
  await using opened = await openCatalogBeside(config, "first");
  const { catalog, failure } = opened;
  const { id, sha256, text } = makeSecret("key");
  const quota = maxBytes === null && maxImages === null ? {} : { quota: { maxBytes, maxImages } };
  const change = { type: "createKey", id, sha256, name, grants, expiresAt, ...quota, by } as const;
  const key = await Promise.race([catalog.write(change), failure]);
  out(args.has("json") ? `${JSON.stringify({ ...key, editable: true, secret: text })}\n` : `${text}\n`);
  err(`The key ${id} was made and is not shown again. Send it as "Authorization: Bearer KEY".\n`);
  return EXIT.ok;
}

/**
 * The one grant of a new key.
 * @throws UsageError
 */
export function requireGrant(args: Given): GrantRecord {
  const rights = readRights(args);
  if (rights === undefined)
    throw usage(args, `"${args.command}" needs a role or rights: --role viewer, or --rights read,write.`);
  const albums = readAlbums(args, { mayBeAll: false });
  if (albums !== undefined && rights.includes("admin"))
    throw usage(args, 'The right "admin" is a right on the store: leave out --albums.');
  const grant = canonicalGrant({ rights, albums: albums ?? "*" });
  if (isTooLong([grant])) throw usage(args, "--albums are too long together.");
  return grant;
}

/** Prints the keys that are not revoked; with `--revoked` also those that are. */
export async function listKey(config: Config, args: KeyArguments, { out }: Output): Promise<number> {
  await using opened = await openCatalogBeside(config);
  const { catalog } = opened;
  const query = { includeRevoked: args.has("revoked"), limit: 1000 };
  for (let page = await catalog.keys(query); ; ) {
    for (const key of page.items)
      out(args.has("json") ? `${JSON.stringify({ ...key, editable: true })}\n` : `${lineOfKey(key)}\n`);
    if (page.next === undefined) return EXIT.ok;
    page = await catalog.keys({ ...query, start: page.next });
  }
}

export async function revokeKey(config: Config, args: KeyArguments, { out, err }: Output): Promise<number> {
  const id = requireKeyId(args);
  await using opened = await openCatalogBeside(config);
  const { catalog, failure } = opened;
  const change = { type: "revokeKey", id, recursive: args.has("recursive"), by } as const;
  const { keys, shares, tickets } = await Promise.race([catalog.write(change), failure]);
  const others = shares + tickets === 0 ? "" : ` Also ${counted(shares, "share")} and ${counted(tickets, "ticket")}.`;
  if (args.has("json")) out(`${JSON.stringify({ action: "revoke", id, keys, shares, tickets })}\n`);
  err(`Revoked ${counted(keys, "key")}.${others} A running server refuses them within two seconds.\n`);
  return EXIT.ok;
}

/** @throws UsageError */
export function requireKeyId(args: KeyArguments): string {
  const [id] = args.operands;
  if (id === undefined || id === "")
    throw usage(args, `"${args.command}" needs the id of a key, as "key list" prints it.`);
  return id;
}

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`;

const usage = ({ command }: Given, message: string) => new UsageError(`${message} ${seeHelp(command)}`);
