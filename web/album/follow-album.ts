import { effect } from "@preact/signals";
import { follow } from "../shared/live.ts";
import { navigate, urlOf } from "../shared/router.ts";
import { createThrottle } from "../shared/throttle.ts";
import { showToast } from "../shared/toast.tsx";
import { texts } from "../texts.ts";
import type { AlbumState } from "./album-state.ts";
import { AT_ONCE } from "./columns.ts";

const PAUSE_MS = 400;

/** Reads the album, and again after changes of it, at most each {@link PAUSE_MS}. */
export function followAlbum(state: AlbumState, onChange: () => void): () => void {
  let stop: (() => void) | undefined;
  const reload = async () => {
    await state.load();
    onChange();
  };
  const changes = createThrottle(PAUSE_MS, () => void reload());
  void reload();
  // Only once the album's id is known can its events be told from the others.
  const stopWaiting = effect(() => {
    const albumId = state.album.value?.id;
    if (albumId === undefined || stop !== undefined) return;
    stop = follow({
      from: () => state.watermark,
      albumId,
      onEvent: ({ type, data }) => {
        if (type === "imagestore.album.updated" && "name" in data && data.name !== state.name)
          return navigate(urlOf.album(data.name ?? ""), { replace: true });
        if (type === "imagestore.album.deleted") {
          showToast(texts.album.gone(state.name));
          return navigate(urlOf.albums(), { replace: true });
        }
        if (state.isComplete.value && state.columns.count > AT_ONCE) {
          state.isStale.value = true;
          return undefined;
        }
        changes.call();
      },
      onGap: reload,
    });
  });
  return () => {
    stopWaiting();
    changes.stop();
    stop?.();
  };
}
