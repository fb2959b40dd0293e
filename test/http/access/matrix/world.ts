import { RIGHTS } from "../../../../src/domain/access.ts";
import { newFolder, removeFolder } from "../../../temporary-folder.ts";
import { ANY_URL, startStore, type TestStore } from "../../harness.ts";
import { AUDIENCE, createSigner, ISSUER } from "../../test-tokens.ts";
import { API_KEYS, bearer, createCallers, SIX, type Who } from "./callers.ts";
import { ALL_SITES, createMaker, createSite, type Fresh, type Headers, NAMED, type Site } from "./sites.ts";

export interface World extends AsyncDisposable {
  readonly store: TestStore;
  /** Of a caller that may do everything. */
  readonly root: Headers;
  readonly sites: ReadonlyMap<string, Site>;
  readonly callers: readonly Who[];
  /** A key that no caller of the matrix has. */
  readonly key: string;
  fresh(kind: Fresh, at?: string): Promise<string>;
}

const RULES = JSON.stringify(
  SIX.map((right) => ({ claim: "scope", has: right, rights: [right], albums: [...NAMED, "prefix.*", "u-{sub}.*"] })),
);

const root = bearer("root");

/** A store with albums that a caller may be related to in each way, and a caller of each kind and right. */
export async function createWorld(): Promise<World> {
  const folder = await newFolder("access-matrix");
  const signer = await createSigner();
  const keys = `${folder}/keys.json`;
  await Bun.write(keys, JSON.stringify({ keys: [signer.publicJwk] }));
  const jwt = { JWT_KEYS_FILE: keys, JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE, JWT_RULES: RULES };
  const store = await startStore({ API_KEYS, ...jwt }, ANY_URL);
  const sites = new Map<string, Site>();
  const made = createMaker(store, root);
  for (const name of ALL_SITES.filter((each) => RENAMED.every(([, then]) => then !== each)))
    sites.set(name, await createSite(made, startName(name)));
  const callers = await createCallers({ store, made, sites, signer });
  // After rights on them were given: those by id stay with them, and do not come to what takes their names.
  for (const [now, then] of RENAMED) {
    await made.send("PATCH", `/v1/albums/${then}`, { name: now });
    sites.set(then, await createSite(made, then));
    sites.set(now, { ...(sites.get(now) as Site), name: now });
  }
  const key = await made.newKey("bystander", [{ rights: ["read"], albums: { names: ["bystander"] } }]);
  return {
    store,
    root,
    sites,
    callers,
    key: key.id,
    fresh: made.fresh,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await removeFolder(folder);
    },
  };
}

/** A store without keys, with the one caller that it has. */
export async function createLocalWorld(): Promise<World> {
  const store = await startStore({}, ANY_URL);
  const made = createMaker(store, {});
  const names = ["other.private", "other.public"];
  const sites = new Map<string, Site>();
  for (const name of names) sites.set(name, await createSite(made, name));
  const grants = [{ rights: RIGHTS, albums: "*" }] as const;
  const callers: Who[] = [{ kind: "local", name: "local", headers: {}, grants, sites: names }];
  return {
    store,
    root: {},
    sites,
    callers,
    key: "none",
    fresh: made.fresh,
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

const RENAMED: readonly (readonly [string, string])[] = [
  ["id.private", "was-id"],
  ["shared.private", "was-shared"],
];
const startName = (name: string) => RENAMED.find(([now]) => now === name)?.[1] ?? name;
