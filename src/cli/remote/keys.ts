import { type components, pages } from "../../../client/src/index.ts";
import { isTooLong } from "../../domain/grant.ts";
import { seeHelp, UsageError } from "../arguments.ts";
import { EXIT } from "../context.ts";
import { lineOfKey, readAlbums, readExpiry, readKeyName, readLimits, readRights } from "../key-arguments.ts";
import { requireGrant, requireKeyId } from "../keys.ts";
import type { RemoteCall } from "./connection.ts";
import { quotaOf } from "./quotas.ts";
import { printFields } from "./records.ts";

type Key = components["schemas"]["Key"];

export async function createKey(call: RemoteCall): Promise<number> {
  const { client, signal, print, context, url } = call;
  const name = readKeyName(call, call.operands[0]);
  const grants = [requireGrant(call)] as Key["grants"];
  const expiresAt = timeOf(readExpiry(call) ?? null);
  const limits = readLimits(call);
  const quota = Object.keys(limits).length === 0 ? {} : { quota: limits };
  const key = await client.send("POST", "/v1/keys", { body: { name, grants, expiresAt, ...quota }, signal });
  await print(key, key.secret);
  context.err(`The key ${key.id} was made at ${url} and is not shown again. Send it as "Authorization: Bearer KEY".\n`);
  return EXIT.ok;
}

const timeOf = (milliseconds: number | null): string | null =>
  milliseconds === null ? null : new Date(milliseconds).toISOString();

export async function listKeys(call: RemoteCall): Promise<number> {
  const { client, signal, print } = call;
  const query = { pageSize: 1000, ...(call.has("revoked") ? { includeRevoked: true } : {}) };
  const keys = pages((token) => client.send("GET", "/v1/keys", { query: { ...query, ...token }, signal }));
  for await (const key of keys) await print(key, lineOfKey(key));
  return EXIT.ok;
}

export async function showKey(call: RemoteCall): Promise<number> {
  const { client, signal } = call;
  const path = { key: requireKeyId(call) };
  const key = await client.send("GET", "/v1/keys/{key}", { path, signal });
  const quota = await quotaOf(() => client.send("GET", "/v1/quotas/keys/{key}", { path, signal }));
  await printFields(call, { ...key, quota: quota ?? null });
  return EXIT.ok;
}

export async function updateKey(call: RemoteCall): Promise<number> {
  const { client, signal } = call;
  const path = { key: requireKeyId(call) };
  const name = call.text("name");
  const expiresAt = readExpiry(call);
  const limits = readLimits(call);
  const grants = await changedGrants(call, path.key);
  const patch = {
    ...(name === undefined ? {} : { name: readKeyName(call, name) }),
    ...(expiresAt === undefined ? {} : { expiresAt: timeOf(expiresAt) }),
    ...(grants === undefined ? {} : { grants }),
  };
  const hasLimits = Object.keys(limits).length > 0;
  if (Object.keys(patch).length === 0 && !hasLimits)
    throw new UsageError(
      `"key update" needs --name, --role, --rights, --albums, --expires, --max-bytes or --max-images. ${seeHelp("key update")}`,
    );
  const key =
    Object.keys(patch).length === 0
      ? await client.send("GET", "/v1/keys/{key}", { path, signal })
      : await client.send("PATCH", "/v1/keys/{key}", { path, body: patch, signal });
  if (key === undefined) throw new Error("The store sent no record of the key.");
  if (!hasLimits) {
    await printFields(call, key);
    return EXIT.ok;
  }
  const before = await quotaOf(() => client.send("GET", "/v1/quotas/keys/{key}", { path, signal }));
  const { maxBytes = null, maxImages = null } = before ?? {};
  const body = { maxBytes, maxImages, ...limits };
  const quota = await client.send("PUT", "/v1/quotas/keys/{key}", { path, body, signal });
  await printFields(call, { ...key, quota });
  return EXIT.ok;
}

/** What is not given of the rights and albums is as the key has it; undefined if neither was given. */
async function changedGrants(call: RemoteCall, id: string): Promise<Key["grants"] | undefined> {
  const rights = readRights(call);
  const albums = readAlbums(call, { mayBeAll: true });
  if (rights === undefined && albums === undefined) return undefined;
  const given = { ...(rights && { rights: [...rights] }), ...(albums && { albums }) };
  if (rights !== undefined && albums !== undefined) return [checked(call, { rights: [...rights], albums })];
  const { grants } = await call.client.send("GET", "/v1/keys/{key}", { path: { key: id }, signal: call.signal });
  const [grant, ...others] = grants;
  if (grant === undefined || others.length > 0)
    throw new UsageError(
      `The key has ${grants.length} grants. Give rights and albums, to replace them by one. ${seeHelp(call.command)}`,
    );
  return [checked(call, { ...grant, ...given })];
}

function checked({ command }: RemoteCall, grant: Key["grants"][number]): Key["grants"][number] {
  if (grant.albums !== "*" && grant.rights.includes("admin"))
    throw new UsageError(`The right "admin" is a right on the store: it needs --albums '*'. ${seeHelp(command)}`);
  if (isTooLong([grant])) throw new UsageError(`--albums are too long together. ${seeHelp(command)}`);
  return grant;
}

export async function revokeKey(call: RemoteCall): Promise<number> {
  const { client, signal, print } = call;
  const key = requireKeyId(call);
  const query = call.has("recursive") ? { recursive: true } : {};
  await client.send("DELETE", "/v1/keys/{key}", { path: { key }, query, signal });
  await print({ action: "revoke", id: key }, `Revoked the key ${key}`);
  return EXIT.ok;
}
