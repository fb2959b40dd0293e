import { computed, signal } from "@preact/signals";
import { type components, StoreError } from "../../client/src/index.ts";
import { base, hasSession, sessionEnded, store } from "./store.ts";

type Me = components["schemas"]["Me"];
export type Right = Me["grants"][number]["rights"][number];

export const me = signal<Me | undefined>(undefined);

/** The other tabs of the browser, which have the same cookie. */
const tabs = new BroadcastChannel(`image-store.session ${base}`);
tabs.addEventListener("message", () => {
  // A tab that can't find it out now does so with its next request.
  void loadMe().then(
    () => (sessionEnded.value = false),
    () => undefined,
  );
});

export async function loadMe(): Promise<void> {
  hasSession.value = false;
  try {
    me.value = await store.send("GET", "/v1/me", {});
  } catch (error) {
    if (!(error instanceof StoreError) || error.status !== 401) throw error;
    // The answer has removed the cookie of the session that has ended, so the person is a visitor now.
    me.value = await store.send("GET", "/v1/me", {});
  }
  hasSession.value = !isGuest.peek() && !isLocal.peek();
}

/** True for a visitor without a name, who may only see public albums. */
export const isGuest = computed(() => me.value?.caller.kind === "anonymous");

/** The store has no keys, so that there is nothing to sign out of. */
export const isLocal = computed(() => me.value?.caller.kind === "local");

/** Signs in with an API key, a token, or the secret of a share link. */
export async function signIn(secret: string): Promise<void> {
  await store.send("POST", "/v1/session", { headers: { Authorization: `Bearer ${secret}` } });
  sessionEnded.value = false;
  await loadMe();
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has no other origins
  tabs.postMessage("signed in");
}

export async function signOut(): Promise<void> {
  await store.send("DELETE", "/v1/session", {});
  sessionEnded.value = false;
  await loadMe();
}

interface AlbumRef {
  readonly id: string;
  readonly name: string;
}

/** What the page offers. The store decides again on each request. */
export function may(right: Right, album?: AlbumRef): boolean {
  return grantsOf(album).some((grant) => grant.rights.includes(right) && !(right === "write" && grant.mayAdd));
}

export const mayEverywhere = (right: Right): boolean =>
  grantsOf(undefined).some(({ albums, rights }) => albums === "*" && rights.includes(right));

/** To add images; a share may give this without the right to change them. */
export const mayAdd = (album: AlbumRef): boolean => grantsOf(album).some((grant) => grant.rights.includes("write"));

export const mayGetOriginals = (album: AlbumRef): boolean =>
  grantsOf(album).some((grant) => grant.rights.includes("read") && grant.originals !== false);

/** Without an album: of all albums, or of some. */
function grantsOf(album: AlbumRef | undefined): Me["grants"] {
  const grants = me.value?.grants ?? [];
  if (album === undefined) return grants;
  return grants.filter(({ albums }) => {
    if (albums === "*") return true;
    const { ids = [], names = [] } = albums;
    return ids.includes(album.id) || names.some((pattern) => meets(album.name, pattern));
  });
}

const meets = (name: string, pattern: string): boolean =>
  pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
