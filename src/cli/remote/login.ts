import { StoreError } from "../../../client/src/index.ts";
import { EXIT } from "../context.ts";
import { type RemoteCall, writeProfile } from "./connection.ts";
import { requireOperands } from "./records.ts";

export async function login(call: RemoteCall): Promise<number> {
  requireOperands(call, 1, "the URL of a store");
  const { client, url, key, signal, print, context } = call;
  const me = await client.send("GET", "/v1/me", { signal });
  const { kind, name } = me.caller;
  if (kind === "anonymous" && me.grants.length === 0)
    throw new StoreError("No key was given.", { status: 401, code: "unauthorized" });
  const path = await writeProfile({ url, ...(key === undefined ? {} : { key }) }, context.env);
  const who = kind === "local" ? "without a key" : `as ${name ?? kind}`;
  await print(
    { url, profile: path, caller: me.caller, grants: me.grants },
    `Later commands use ${url} ${who}. Kept in ${path}`,
  );
  return EXIT.ok;
}
