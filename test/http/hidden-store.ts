import type { Album } from "../../src/domain/album.ts";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { newPng } from "./image-fixtures.ts";
import type { RouteRequest, Target } from "./route-requests.ts";
import { testKeys } from "./test-keys.ts";

type Headers = Readonly<Record<string, string>>;

const { API_KEYS, bearer } = testKeys({ owner: "read+write+delete+transform+share+events+admin" });
/** May do everything. */
export const owner = bearer("owner");
const ALL = ["read", "write", "delete", "transform", "share", "events"];

/** Ids that were never given. */
const ABSENT_IDS = { ticket: "0123456789abcdef", share: "1123456789abcdef", key: "2123456789abcdef" };

/** A store with an album that only its owner knows of, and callers who have rights elsewhere. */
export interface HiddenStore extends AsyncDisposable {
  readonly store: TestStore;
  readonly callers: Readonly<Record<string, Headers>>;
  readonly hidden: Target;
  /** Names and ids of the same length that never were. */
  readonly never: Target;
  /** Of the hidden album. */
  readonly albumId: string;
  /** ETags of what is hidden. */
  readonly tags: readonly string[];
}

export async function createHiddenStore(): Promise<HiddenStore> {
  const store = await startStore({ API_KEYS });
  const made = await store.send("PUT", "/v1/albums/hidden", { title: "t" }, owner);
  const { id: albumId } = await jsonOf<Album>(made);
  const content = await store.fetch("/v1/albums/hidden/images/there/content", {
    method: "PUT",
    body: newPng(),
    headers: owner,
  });
  const { id, sha256 } = await jsonOf<Image>(content);
  const tags = [made, content].map(({ headers }) => headers.get("etag") ?? "");
  const idOf = async (path: string, body: object = {}) =>
    (await jsonOf<{ id: string }>(await store.send("POST", path, body, owner))).id;
  const ofHidden = {
    ticket: await idOf("/v1/albums/hidden/tickets"),
    share: await idOf("/v1/albums/hidden/shares"),
    key: await idOf("/v1/keys", { name: "hidden", grants: [{ rights: ["read"], albums: { names: ["hidden"] } }] }),
  };
  const hidden = { album: "hidden", image: "there", id, sha256, ...ofHidden };
  const never = { album: "absent", image: "there", id: Bun.randomUUIDv7(), sha256: "0".repeat(64), ...ABSENT_IDS };
  const mine = await jsonOf<Album>(await store.send("PUT", "/v1/albums/mine-1", { visibility: "public" }, owner));
  const callers: Record<string, Headers> = { anonymous: {} };
  const key = async (name: string, albums: object, rights = ALL) => {
    const response = await store.send("POST", "/v1/keys", { name, grants: [{ rights, albums }] }, owner);
    const { secret } = await jsonOf<{ secret: string }>(response);
    callers[name] = { Authorization: `Bearer ${secret}` };
  };
  await key("by-name", { names: ["mine-*", "other"] });
  await key("by-id", { ids: [mine.id] });
  await key("reader", { names: ["mine-1"] }, ["read"]);
  const wish = { rights: ["read", "write"], originals: true };
  const share = await jsonOf<{ secret: string }>(await store.send("POST", "/v1/albums/mine-1/shares", wish, owner));
  callers["share"] = { Authorization: `Bearer ${share.secret}` };
  const page = { Origin: store.url, "Sec-Fetch-Site": "same-origin" };
  const signedIn = await store.send("POST", "/v1/session", {}, { ...page, ...callers["by-name"] });
  callers["session"] = { ...page, Cookie: signedIn.headers.get("set-cookie")?.split(";", 1)[0] ?? "" };
  return { store, callers, hidden, never, albumId, tags, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}

/** The answer, without what differs from one request to the next. */
export async function answerTo(
  { store }: Pick<HiddenStore, "store">,
  { method, path, headers, body }: RouteRequest,
  caller: Readonly<Record<string, string>>,
  target: Target,
) {
  const leaving = new AbortController();
  const response = await store.fetch(path, {
    method,
    headers: { ...headers, ...caller, "X-Request-Id": "same" },
    signal: leaving.signal,
    ...(body === undefined ? {} : { body }),
  });
  const kept = [...response.headers].filter(([name]) => name !== "date");
  if (response.headers.get("content-type") === "text/event-stream") {
    leaving.abort();
    return { status: response.status, headers: kept, text: "" };
  }
  const text = await response.text();
  return {
    status: response.status,
    headers: kept.map(([name, value]) => [name, unnamed(value, target)]),
    text: unnamed(text, target),
  };
}

const unnamed = (text: string, target: Target): string =>
  Object.entries(target).reduce((left, [name, value]) => left.replaceAll(String(value), name.toUpperCase()), text);

/** What each caller gets for what is hidden and for what never was, as text. */
export async function answersOf(
  at: HiddenStore,
  path: (target: Target, albumId: string) => string,
  init: (target: Target) => Partial<RouteRequest> = () => ({}),
): Promise<readonly { readonly who: string; readonly hidden: string; readonly never: string }[]> {
  const unknown = Bun.randomUUIDv7();
  return Promise.all(
    Object.entries(at.callers).map(async ([who, caller]) => {
      const ask = async (target: Target, id: string) => {
        const request = { method: "GET", headers: {}, body: undefined, path: path(target, id), ...init(target) };
        return JSON.stringify(await answerTo(at, request, caller, target)).replaceAll(id, "ALBUM-ID");
      };
      return { who, hidden: await ask(at.hidden, at.albumId), never: await ask(at.never, unknown) };
    }),
  );
}
