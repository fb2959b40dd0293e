import { type components, pages, StoreError } from "../../../client/src/index.ts";
import { seeHelp, UsageError } from "../arguments.ts";
import { EXIT } from "../context.ts";
import { readLimits } from "../key-arguments.ts";
import { formatBytes } from "../progress-bar.ts";
import type { RemoteCall } from "./connection.ts";
import { printFields } from "./records.ts";

type Quota = components["schemas"]["Quota"];
type Limits = components["schemas"]["QuotaLimits"];

/** One quota of the API, whatever it limits. */
interface QuotaPlace {
  readonly text: string;
  readonly get: () => Promise<Quota>;
  readonly put: (body: Limits) => Promise<Quota>;
  readonly remove: () => Promise<unknown>;
}

/** @throws UsageError unless the operands are `store`, `album ALBUM` or `key ID` */
function placeOf({ client, operands, signal, command }: RemoteCall): QuotaPlace {
  const [kind, id = "", ...others] = operands;
  if (kind === "store" && operands.length === 1) {
    const path = "/v1/quotas/store";
    return {
      text: "the store",
      get: () => client.send("GET", path, { signal }),
      put: (body) => client.send("PUT", path, { body, signal }),
      remove: () => client.send("DELETE", path, { signal }),
    };
  }
  if (kind === "album" && id !== "" && others.length === 0) {
    const [path, given] = ["/v1/quotas/albums/{album}", { path: { album: id }, signal }] as const;
    return {
      text: `the album ${id}`,
      get: () => client.send("GET", path, given),
      put: (body) => client.send("PUT", path, { ...given, body }),
      remove: () => client.send("DELETE", path, given),
    };
  }
  if (kind === "key" && id !== "" && others.length === 0) {
    const [path, given] = ["/v1/quotas/keys/{key}", { path: { key: id }, signal }] as const;
    return {
      text: `the key ${id}`,
      get: () => client.send("GET", path, given),
      put: (body) => client.send("PUT", path, { ...given, body }),
      remove: () => client.send("DELETE", path, given),
    };
  }
  throw new UsageError(`"${command}" needs store, album ALBUM or key ID. ${seeHelp(command)}`);
}

/** undefined where nothing is limited. */
export async function quotaOf(get: () => Promise<Quota>): Promise<Quota | undefined> {
  try {
    return await get();
  } catch (error) {
    if (error instanceof StoreError && error.code === "quota_not_found") return undefined;
    throw error;
  }
}

/** Separated by tabs: scope, images, bytes. */
export async function listQuotas(call: RemoteCall): Promise<number> {
  const { client, signal, print } = call;
  const quotas = pages((query) => client.send("GET", "/v1/quotas", { query, signal }));
  for await (const quota of quotas) {
    const { scope, maxBytes, maxImages, used } = quota;
    const images = `${used.images} of ${maxImages ?? "any number of"} images`;
    const bytes = `${formatBytes(used.bytes)} of ${maxBytes === null ? "any size" : formatBytes(maxBytes)}`;
    await print(quota, [scope, images, bytes].join("\t"));
  }
  return EXIT.ok;
}

export async function showQuota(call: RemoteCall): Promise<number> {
  const place = placeOf(call);
  const quota = await quotaOf(place.get);
  if (quota === undefined) throw new Error(`Nothing limits ${place.text}. "image-store quota set" does.`);
  await printFields(call, quota);
  return EXIT.ok;
}

export async function setQuota(call: RemoteCall): Promise<number> {
  const place = placeOf(call);
  const limits = readLimits(call);
  if (Object.keys(limits).length === 0)
    throw new UsageError(`"quota set" needs --max-bytes or --max-images. ${seeHelp(call.command)}`);
  const { maxBytes = null, maxImages = null } = (await quotaOf(place.get)) ?? {};
  await printFields(call, await place.put({ maxBytes, maxImages, ...limits }));
  return EXIT.ok;
}

export async function removeQuota(call: RemoteCall): Promise<number> {
  const place = placeOf(call);
  await place.remove();
  await call.print({ action: "remove", scope: call.operands }, `Removed the limits of ${place.text}`);
  return EXIT.ok;
}
