import { RIGHTS, type Right } from "../../../../src/domain/access.ts";
import type { TestStore } from "../../harness.ts";
import { testKeys } from "../../test-keys.ts";
import { type TestSigner, bearer as tokenBearer } from "../../test-tokens.ts";
import type { ModelCaller, ModelGrant } from "./model.ts";
import { ALL_SITES, createSite, FEW, type Headers, type Maker, NAMED, SHARED, type Site } from "./sites.ts";

/** A caller of the store, with what it may do as the test knows it. */
export interface Who extends ModelCaller {
  readonly name: string;
  readonly headers: Headers;
  /** What a signed link adds to the query, for the image of an album. */
  readonly queryFor?: (site: Site) => string;
  /** Of a session: the headers of another one like it. */
  readonly signInAgain?: () => Promise<Headers>;
  /** The albums that its requests are about, by name. */
  readonly sites: readonly string[];
}

/** Keys of the configuration, with their rights. */
const CONFIGURED: Readonly<Record<string, string>> = Object.fromEntries([
  ["root", RIGHTS.join("+")],
  ...RIGHTS.map((right) => [`env-${right}`, right]),
]);
export const { API_KEYS, bearer } = testKeys(CONFIGURED);
export const SIX: readonly Right[] = RIGHTS.filter((right) => right !== "admin");

/** What callers are made with. */
export interface Making {
  readonly store: TestStore;
  readonly made: Maker;
  readonly sites: Map<string, Site>;
  readonly signer: TestSigner;
}

/** Of each kind, with each right alone, with all of them, and with some on some albums. */
export async function createCallers(making: Making): Promise<readonly Who[]> {
  const keys = await createKeys(making);
  const tokens = await createTokens(making);
  const shares = await createShares(making);
  const configured: Who[] = Object.entries(CONFIGURED).map(([name, rights]) => ({
    kind: "key",
    name,
    headers: bearer(name),
    grants: [{ rights: rights.split("+") as Right[], albums: "*" }],
    sites: [...FEW, "id.public", "named.private"],
  }));
  const bases = [...keys, ...tokens, ...shares, ...configured].filter(({ name }) => WITH_SESSION.includes(name));
  const ticket = await making.made.fresh("upload", "other.private");
  return [
    { kind: "anonymous", name: "anonymous", headers: {}, grants: [], sites: [...FEW, "id.public"] },
    ...configured,
    ...keys,
    ...tokens,
    ...shares,
    ...(await Promise.all(bases.map((base) => signIn(making.store, base)))),
    { kind: "link", name: "link", headers: {}, grants: [], sites: FEW, queryFor: ({ link }) => link },
    { kind: "ticket", name: "ticket", headers: tokenBearer(ticket), grants: [], sites: FEW },
  ];
}

const WITH_SESSION = ["root", "key six", "key read", "key mixed", "token six", "share read+write"];

async function createKeys({ made, sites }: Making): Promise<readonly Who[]> {
  const idOf = (name: string) => sites.get(name)?.id ?? "";
  const albums = { ids: [idOf("id.private"), idOf("id.public")], names: [...NAMED, "prefix.*"] };
  const kinds: Readonly<Record<string, readonly ModelGrant[]>> = {
    ...Object.fromEntries(SIX.map((right) => [right, [{ rights: [right], albums }]])),
    six: [{ rights: SIX, albums }],
    mixed: [
      { rights: ["read"], albums: { ids: albums.ids } },
      { rights: ["write", "delete"], albums: { names: NAMED } },
      { rights: ["share", "transform", "events"], albums: { names: ["prefix.*"] } },
    ],
    elsewhere: [{ rights: SIX, albums: { ids: [Bun.randomUUIDv7()], names: ["elsewhere"] } }],
    admin: [{ rights: ["admin"], albums: "*" }],
    everything: [{ rights: RIGHTS, albums: "*" }],
  };
  return Promise.all(
    Object.entries(kinds).map(async ([kind, grants]): Promise<Who> => {
      const { id, secret } = await made.newKey(kind, [{ rights: ["write"], albums: "*" }]);
      const own = [`prefix.of-key-${kind}`, `of-key-${kind}`];
      for (const name of own) sites.set(name, await createSite(made, name, tokenBearer(secret)));
      await made.send("PATCH", `/v1/keys/${id}`, { grants });
      const { headers, where } = { headers: tokenBearer(secret), where: grants.every((one) => one.albums === "*") };
      return { kind: "key", name: `key ${kind}`, headers, grants, sites: [...(where ? FEW : ALL_SITES), ...own] };
    }),
  );
}

async function createTokens({ made, sites, signer }: Making): Promise<readonly Who[]> {
  const kinds: Readonly<Record<string, readonly Right[]>> = {
    read: ["read"],
    write: ["write"],
    share: ["share"],
    six: SIX,
    none: [],
  };
  const tokens: Who[] = [];
  for (const [kind, rights] of Object.entries(kinds)) {
    const sub = `sub-${kind}`;
    const sign = async (scopes: readonly string[]) =>
      tokenBearer(await signer.sign({ sub, scope: `openid ${scopes.join(" ")}` }));
    const own = `u-${sub}.own`;
    sites.set(own, await createSite(made, own, await sign(["write"])));
    const names = [...NAMED, "prefix.*", `u-${sub}.*`];
    const headers = await sign(rights);
    const grants = rights.length === 0 ? [] : [{ rights, albums: { names } }];
    tokens.push({ kind: "token", name: `token ${kind}`, headers, grants, sites: [...ALL_SITES, own] });
  }
  return tokens;
}

async function createShares({ made, sites }: Making): Promise<readonly Who[]> {
  const shares: Who[] = [];
  for (const [name, wish] of Object.entries({
    read: { rights: ["read"], originals: false },
    originals: { rights: ["read"], originals: true },
    "read+write": { rights: ["read", "write"], originals: false },
  } as const))
    for (const album of SHARED) {
      const { id = "", name: called = album } = sites.get(album) ?? {};
      const { secret } = await made.newShare(called, wish);
      shares.push({
        kind: "share",
        name: album === "shared.private" ? `share ${name}` : `share ${name} of a public album`,
        headers: tokenBearer(secret),
        grants: [{ rights: wish.rights, albums: { ids: [id] }, addsOnly: true, variantsOnly: !wish.originals }],
        sites: [...SHARED, "was-shared", "id.private", "other.public", "never"],
      });
    }
  return shares;
}

async function signIn(store: TestStore, base: Who): Promise<Who> {
  const page = { "Sec-Fetch-Site": "same-origin", Origin: store.url };
  const signInAgain = async (): Promise<Headers> => {
    const response = await store.send("POST", "/v1/session", {}, { ...page, ...base.headers });
    return { ...page, Cookie: response.headers.get("set-cookie")?.split(";", 1)[0] ?? "" };
  };
  return { ...base, kind: "session", name: `session of ${base.name}`, headers: await signInAgain(), signInAgain };
}
