import { may } from "../shared/session.ts";
import { store } from "../shared/store.ts";

/** A larger file is sent unseen: to hash it, the browser would hold all of it in memory. */
const MAX_HASHED = 128 * 1024 * 1024;
const GATHER_MS = 40;
const MAX_ASKED = 500;

/** SHA-256 in hex; undefined where the browser does not compute it, as on plain HTTP. */
export async function digestOf(file: File): Promise<string | undefined> {
  if (file.size > MAX_HASHED || globalThis.crypto?.subtle === undefined) return undefined;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

interface Asked {
  readonly digest: string;
  readonly resolve: (isKnown: boolean) => void;
  readonly reject: (error: unknown) => void;
}

const waiting = new Map<string, Asked[]>();

/** Whether the album has an image of these bytes. Questions of the same moment go together. */
export function isKnown(album: { readonly id: string; readonly name: string }, digest: string): Promise<boolean> {
  if (!may("read", album)) return Promise.resolve(false);
  return new Promise((resolve, reject) => {
    const asked = waiting.get(album.id) ?? [];
    asked.push({ digest, resolve, reject });
    waiting.set(album.id, asked);
    if (asked.length === 1) setTimeout(() => void ask(album.id), GATHER_MS);
  });
}

async function ask(albumId: string): Promise<void> {
  const asked = waiting.get(albumId)?.slice(0, MAX_ASKED) ?? [];
  waiting.delete(albumId);
  try {
    const sha256 = [...new Set(asked.map(({ digest }) => digest))];
    const { items } = await store.send("POST", "/v1/images/known", { body: { sha256, albumId } });
    const found = new Set(items.map((item) => item.sha256));
    for (const { digest, resolve } of asked) resolve(found.has(digest));
  } catch (error) {
    for (const { reject } of asked) reject(error);
  }
}
