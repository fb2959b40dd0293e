import { useSignal } from "@preact/signals";
import { store } from "../shared/store.ts";
import { texts } from "../texts-admin.ts";

interface Props {
  /** Undefined: of all albums. */
  readonly onAlbum: (albumId: string | undefined) => void;
  readonly onProblem: (error: unknown) => void;
}

/** Asks for the name of the album whose events are shown. */
export function AlbumFilter({ onAlbum, onProblem }: Props) {
  const name = useSignal("");

  async function choose(wanted: string): Promise<void> {
    name.value = wanted;
    if (wanted === "") return onAlbum(undefined);
    try {
      const { id } = await store.albums.get(wanted);
      if (name.value === wanted) onAlbum(id);
    } catch (error) {
      if (name.value === wanted) onProblem(error);
    }
  }

  return (
    <input
      class="input auto"
      dir="auto"
      aria-label={texts.events.album}
      placeholder={texts.events.allAlbums}
      onChange={(event) => void choose(event.currentTarget.value)}
    />
  );
}
