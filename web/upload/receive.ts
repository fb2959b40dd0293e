import { signal } from "@preact/signals";
import { type Album, StoreError } from "../../client/src/index.ts";
import { navigate, urlOf } from "../shared/router.ts";
import { store } from "../shared/store.ts";
import { showToast } from "../shared/toast.tsx";
import { texts } from "../texts.ts";
import { type Dropped, findFiles } from "./files.ts";
import { enqueue } from "./queue.ts";
import { unsent } from "./unsent.ts";

/** Files that wait until the person has said into which album they go. */
export const homeless = signal<{ readonly files: readonly File[]; readonly suggestion: string } | undefined>(undefined);

/** Queues what was given, for the open album or for one that the person names. */
export async function receive(
  dropped: readonly Dropped[],
  album: Pick<Album, "id" | "name"> | undefined,
): Promise<void> {
  const { files, folder } = await findFiles(dropped);
  if (files.length === 0) return void showToast(texts.upload.nothing);
  if (album !== undefined) enqueue(files, album);
  else homeless.value = { files, suggestion: folder ?? unsent.value[0]?.album.name ?? "" };
}

/** Puts the waiting files into an album, which is made if there is none of this name. */
export async function settle(name: string): Promise<void> {
  const { files = [] } = homeless.value ?? {};
  const album = await albumOf(name);
  homeless.value = undefined;
  enqueue(files, album);
  navigate(urlOf.album(album.name));
}

async function albumOf(name: string): Promise<Album> {
  try {
    return await store.albums.create({ name });
  } catch (error) {
    if (error instanceof StoreError && error.code === "album_exists") return store.albums.get(name);
    throw error;
  }
}
