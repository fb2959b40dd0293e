import type { Album } from "../../../../src/domain/album.ts";
import type { Image } from "../../../../src/domain/image.ts";
import { jsonOf, type TestStore } from "../../harness.ts";
import { newPng } from "../../image-fixtures.ts";
import type { ModelGrant, Place } from "./model.ts";

export type Headers = Readonly<Record<string, string>>;

/** An album with what is in it; without an id it never was. */
export interface Site extends Place {
  /** Its bytes stay, and those of the other may change. */
  readonly image: Pick<Image, "id" | "name" | "sha256">;
  readonly spare: Pick<Image, "id" | "name">;
  readonly ticket: string;
  readonly share: string;
  /** Of a signed link to the image. */
  readonly link: string;
}

/** What a request may delete or use up. `upload` is the secret of a ticket. */
export type Fresh = "album" | "image" | "ticket" | "share" | "key" | "upload";

export const NAMED = ["named.private", "named.public"];
const IN_GRANT = ["id.private", "id.public", ...NAMED, "prefix.private", "prefix.public"];
/** Names that are almost in the grant, or were once. */
const NEAR = ["named.private2", "Prefix.private", "prefix", "was-id", "was-shared"];
const OTHERS = ["other.private", "other.public", "never", "prefix.never"];
export const SHARED = ["shared.private", "shared.public"];
export const ALL_SITES = [...IN_GRANT, ...NEAR, ...OTHERS, ...SHARED];
export const FEW = ["id.private", "other.public", "never"];

export type Maker = ReturnType<typeof createMaker>;

/** Makes things by a caller who may do everything. */
export function createMaker(store: TestStore, by: Headers) {
  let count = 0;
  async function send<Value>(method: string, path: string, body: unknown, headers: Headers = by): Promise<Value> {
    const response = await store.send(method, path, body, headers);
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return jsonOf<Value>(response);
  }
  async function newImage(album: string, name: string): Promise<Image> {
    const path = `/v1/albums/${album}/images/${name}/content`;
    return jsonOf<Image>(await store.fetch(path, { method: "PUT", body: newPng(), headers: by }));
  }
  const newShare = (album: string, wish: object = {}) =>
    send<{ id: string; secret: string }>("POST", `/v1/albums/${album}/shares`, wish);
  const newTicket = (album: string) => send<{ id: string; url: string }>("POST", `/v1/albums/${album}/tickets`, {});
  const newKey = (name: string, grants: readonly ModelGrant[]) =>
    send<{ id: string; secret: string }>("POST", "/v1/keys", { name, grants });
  const makers: { readonly [Kind in Fresh]: (at: string, name: string) => Promise<string> } = {
    album: async (at, name) => (await send<Album>("PUT", `/v1/albums/${at}${name}`, {})).name,
    image: async (at, name) => (await newImage(at, name)).name,
    ticket: async (at) => (await newTicket(at)).id,
    upload: async (at) => (await newTicket(at)).url.split("/").at(-1) ?? "",
    share: async (at) => (await newShare(at)).id,
    key: async (_at, name) => (await newKey(name, [{ rights: ["read"], albums: { names: ["bystander"] } }])).id,
  };
  return {
    send,
    newImage,
    newShare,
    newTicket,
    newKey,
    fresh: (kind: Fresh, at = "") => makers[kind](at, `fresh-${++count}`),
  };
}

export async function createSite(made: Maker, name: string, by?: Headers): Promise<Site> {
  const never = { name, id: undefined, isPublic: false };
  const nothing = { id: Bun.randomUUIDv7(), name: "pic", sha256: "0".repeat(64) };
  if (name.endsWith("never"))
    return { ...never, image: nothing, spare: { ...nothing, name: "spare" }, ticket: "x", share: "x", link: "" };
  const isPublic = name.endsWith(".public");
  const { id } = await made.send<Album>("PUT", `/v1/albums/${name}`, {}, by);
  if (isPublic) await made.send("PATCH", `/v1/albums/${name}`, { visibility: "public" });
  const [image, spare] = [await made.newImage(name, "pic"), await made.newImage(name, "spare")];
  const { url } = await made.send<{ url: string }>("POST", `/v1/albums/${name}/images/pic/links`, {});
  const ticket = await made.fresh("ticket", name);
  const share = await made.fresh("share", name);
  return { name, id, isPublic, image, spare, ticket, share, link: url.slice(url.indexOf("?") + 1) };
}
