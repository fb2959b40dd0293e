import { type Album, StoreError } from "../../client/src/index.ts";
import { ifMatch, store } from "../shared/store.ts";
import { showToast } from "../shared/toast.tsx";
import { texts } from "../texts.ts";

/** Member of an album's metadata: the id of the image that is its cover. */
export const COVER = "cover";
const TRIES = 5;

/** Keeps what others change of the album at the same time. */
export async function chooseCover(album: Album, image: string): Promise<Album> {
  let current = album;
  for (let tries = 1; ; tries += 1) {
    try {
      const given = {
        path: { album: current.name },
        body: { metadata: { [COVER]: image } },
        headers: ifMatch(current),
      };
      const saved = (await store.send("PATCH", "/v1/albums/{album}", given)) as Album;
      showToast(texts.album.coverChosen);
      return saved;
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "precondition_failed" || tries === TRIES) throw error;
      current = await store.albums.get(album.name);
    }
  }
}
