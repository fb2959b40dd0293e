import { signal } from "@preact/signals";
import type { Album, AlbumFilter } from "../../client/src/index.ts";
import { store } from "../shared/store.ts";

export type AlbumOrder = "-updatedAt" | "-createdAt" | "name";
const PAGE_SIZE = 60;

/** The albums that are shown. They stay when the person opens one and comes back. */
export const albums = signal<readonly Album[] | undefined>(undefined);
export const order = signal<AlbumOrder>("-updatedAt");
export const prefix = signal("");
export const nextPage = signal<string | undefined>(undefined);
export const problem = signal<unknown>(undefined);
/** Where in the log of changes the listing stands. */
export const watermark = signal<string | undefined>(undefined);

let asked = 0;

/** Lists from the start, as far as the person had scrolled. */
export async function loadAlbums(): Promise<void> {
  const turn = ++asked;
  try {
    const shown = Math.max(PAGE_SIZE, Math.min(albums.value?.length ?? 0, 1000));
    const page = await store.send("GET", "/v1/albums", { query: { ...query(), pageSize: shown } });
    if (turn !== asked) return;
    albums.value = page.items;
    nextPage.value = page.nextPageToken;
    watermark.value = page.watermark;
    problem.value = undefined;
  } catch (error) {
    if (turn === asked) problem.value = error;
  }
}

export async function loadMore(): Promise<void> {
  const pageToken = nextPage.value;
  if (pageToken === undefined) return;
  const turn = asked;
  const page = await store.send("GET", "/v1/albums", { query: { ...query(), pageSize: PAGE_SIZE, pageToken } });
  if (turn !== asked) return;
  const seen = new Set(albums.value?.map(({ id }) => id));
  albums.value = [...(albums.value ?? []), ...page.items.filter(({ id }) => !seen.has(id))];
  nextPage.value = page.nextPageToken;
}

const query = (): AlbumFilter => ({
  orderBy: order.value,
  ...(prefix.value === "" ? {} : { q: prefix.value }),
});
