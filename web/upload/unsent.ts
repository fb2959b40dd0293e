import { signal } from "@preact/signals";
import type { Album } from "../../client/src/index.ts";

/** Files of an album that a page left behind when it was reloaded: it can't read them again by itself. */
export interface Unsent {
  readonly album: Pick<Album, "id" | "name">;
  readonly count: number;
  /** Files that the queue had for the album. */
  readonly total: number;
}

/** Of this tab. The browser keeps it through a reload, and where it opens a closed tab again. */
const KEY = "image-store.unsent";

export const unsent = signal<readonly Unsent[]>(read());

function read(): readonly Unsent[] {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "[]") as readonly Unsent[];
  } catch {
    return [];
  }
}

/** For the page that comes after this one, beside what an earlier page has left. */
export function keepUnsent(now: readonly Unsent[]): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify([...unsent.peek(), ...now]));
  } catch {
    // Without it the next page says nothing, and the person adds the files again as always.
  }
}

/** The person gives the files again, or does without them. */
export function forgetUnsent(album: Pick<Album, "id">): void {
  unsent.value = unsent.value.filter((one) => one.album.id !== album.id);
  keepUnsent([]);
}
