import type { ApiKey } from "../domain/access.ts";
import { authorize, type Caller, requesterOf } from "../domain/caller.ts";
import type { Preconditions, RecordVersion } from "../domain/change.ts";
import { StoreError } from "../domain/errors.ts";
import { type GrantRecord, toGrantRecord } from "../domain/grant.ts";
import type { Key, KeyPatch } from "../domain/key.ts";
import type { Page, PageStart } from "../domain/page.ts";
import type { QuotaLimits } from "../domain/quota.ts";
import type { Credentials } from "./credentials.ts";
import type { RequestCatalog } from "./request-catalog.ts";
import { makeSecret } from "./secrets.ts";

export interface KeyDeps {
  readonly catalog: Pick<RequestCatalog, "write" | "key" | "keys">;
  readonly credentials: Pick<Credentials, "refresh">;
  /** The keys of the configuration as it is now. */
  readonly configuredKeys: () => readonly ApiKey[];
}

/** A key of the catalog, or one of the configuration, which only that can change. */
export type ListedKey = Omit<Key, "createdAt" | "createdBy"> & {
  readonly createdAt: string | null;
  readonly createdBy: Key["createdBy"] | null;
  readonly editable: boolean;
};

interface WriteOptions {
  readonly caller: Caller;
  readonly traceparent?: string | undefined;
  readonly preconditions?: Preconditions<RecordVersion> | undefined;
}

/** The secret is in the result and is kept nowhere. @throws StoreError `forbidden` for what the caller lacks itself */
export async function createKey(
  deps: KeyDeps,
  input: Omit<WriteOptions, "preconditions"> & {
    readonly name: string;
    readonly grants: readonly GrantRecord[];
    /** Milliseconds since 1970; null: never. */
    readonly expiresAt: number | null;
    readonly quota?: QuotaLimits;
  },
): Promise<ListedKey & { readonly secret: string }> {
  const { name, grants, expiresAt, quota } = input;
  authorize(input.caller, "admin");
  const { id, sha256, text } = makeSecret("key");
  const key = await deps.catalog.write({
    type: "createKey",
    id,
    sha256,
    name,
    grants,
    expiresAt,
    ...(quota && { quota }),
    ...giving(input),
  });
  await deps.credentials.refresh();
  return { ...listed(key), secret: text };
}

/** Keys of the configuration by name, then those of the catalog by the time when they were made. */
export async function listKeys(
  { catalog, configuredKeys }: KeyDeps,
  caller: Caller,
  query: { readonly limit: number; readonly start?: PageStart; readonly includeRevoked: boolean },
): Promise<Page<ListedKey>> {
  authorize(caller, "admin");
  const { limit, start, includeRevoked } = query;
  const isInCatalog = start !== undefined && start.after.key !== CONFIGURED;
  const left = isInCatalog ? [] : sorted(configuredKeys()).filter(({ name }) => name > (start?.after.id ?? ""));
  const items = left.slice(0, limit).map(ofConfiguration);
  const room = limit - items.length;
  const { watermark, ...rest } = await catalog.keys({
    includeRevoked,
    limit: Math.max(1, room),
    ...(isInCatalog ? { start } : {}),
  });
  const known = start?.watermark ?? watermark;
  if (room > 0)
    return {
      items: [...items, ...rest.items.map(listed)],
      next: rest.next && { ...rest.next, watermark: known },
      watermark: known,
    };
  const goesOn = left.length > limit || rest.items.length > 0;
  const after = { key: CONFIGURED, id: items.at(-1)?.id ?? "" };
  return { items, next: goesOn ? { after, watermark: known } : undefined, watermark: known };
}

/** The key in a page's position of those of the configuration, which come before all that were made. */
const CONFIGURED = 0;

/** Revoked ones too. @throws StoreError `key_not_found` */
export async function getKey(deps: KeyDeps, { caller, id }: { caller: Caller; id: string }): Promise<ListedKey> {
  authorize(caller, "admin");
  const key = await deps.catalog.key(id);
  if (key !== undefined) return listed(key);
  const configured = deps.configuredKeys().find(({ name }) => name === id);
  if (configured === undefined) throw keyNotFound();
  return ofConfiguration(configured);
}

/** @throws StoreError `key_not_found`, `key_not_editable`, `precondition_failed`, `forbidden` for what the caller lacks itself */
export async function updateKey(
  deps: KeyDeps,
  input: WriteOptions & { readonly id: string; readonly patch: KeyPatch },
): Promise<ListedKey> {
  const { id, patch } = input;
  authorize(input.caller, "admin");
  requireEditable(deps, id);
  const key = await deps.catalog.write({ type: "updateKey", id, patch, ...giving(input) });
  await deps.credentials.refresh();
  return listed(key);
}

/** From when it resolves, this node refuses the key. @throws StoreError `key_not_found`, `key_not_editable`, `precondition_failed` */
export async function revokeKey(
  deps: KeyDeps,
  input: WriteOptions & { readonly id: string; readonly recursive: boolean },
): Promise<void> {
  const { id, recursive } = input;
  authorize(input.caller, "admin");
  requireEditable(deps, id);
  await deps.catalog.write({ type: "revokeKey", id, recursive, ...given(input) });
  await deps.credentials.refresh();
}

function requireEditable({ configuredKeys }: KeyDeps, id: string): void {
  if (configuredKeys().some(({ name }) => name === id))
    throw new StoreError("key_not_editable", "The key comes from the configuration. Change it there.");
}

const keyNotFound = () => new StoreError("key_not_found", "There is no such API key.");

const given = ({ caller, traceparent, preconditions }: WriteOptions) => ({
  by: requesterOf(caller, "admin"),
  ...(traceparent === undefined ? {} : { traceparent }),
  ...(preconditions === undefined ? {} : { preconditions }),
});

const giving = (input: WriteOptions) => ({ ...given(input), gives: input.caller.grants.map(toGrantRecord) });

const listed = (key: Key): ListedKey => ({ ...key, editable: true });

const sorted = (keys: readonly ApiKey[]): readonly ApiKey[] =>
  keys.toSorted((one, other) => (one.name < other.name ? -1 : 1));

const ofConfiguration = ({ name, rights }: ApiKey): ListedKey => ({
  id: name,
  name,
  grants: [{ rights: [...rights], albums: "*" }],
  revision: 1,
  createdAt: null,
  createdBy: null,
  expiresAt: null,
  lastUsedAt: null,
  revokedAt: null,
  editable: false,
});
