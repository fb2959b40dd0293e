import { type Album, StoreError } from "../../client/src/index.ts";
import { ifMatch, store } from "../shared/store.ts";
import { showToast } from "../shared/toast.tsx";
import { texts } from "../texts.ts";

/** Member of an album's metadata: the id of the image that is its cover. */
export const COVER = "cover";
/**
 * Its id and the time of its creation, by which the album's listing tells whether it is there. A request for an image that is gone
 * is an error on the browser's console.
 */
const COVER_TIME = "coverTime";
const TRIES = 5;

export const coverTimeOf = ({ metadata }: Pick<Album, "metadata">): number | undefined => {
  const [id, time = ""] = metadata[COVER_TIME]?.split(" ") ?? [];
  // Another program may have chosen another cover since.
  return id === metadata[COVER] && /^\d+$/.test(time) ? Number(time) : undefined;
};

interface Image {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/** Keeps what others change of the album at the same time. */
export async function chooseCover(album: Album, { id, createdAt }: Image): Promise<Album> {
  let current = album;
  for (let tries = 1; ; tries += 1) {
    try {
      const given = {
        path: { album: current.name },
        body: { metadata: { [COVER]: id, [COVER_TIME]: `${id} ${createdAt}` } },
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
