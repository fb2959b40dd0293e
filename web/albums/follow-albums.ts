import { follow } from "../shared/live.ts";
import { loadAlbums, watermark } from "./albums-state.ts";

const PAUSE_MS = 400;

/** Lists the albums and again after changes, at most each {@link PAUSE_MS}. */
export function followAlbums(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  watermark.value = undefined;
  const stop = follow({
    from: () => watermark.value,
    onEvent: () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        void loadAlbums();
      }, PAUSE_MS);
    },
    onGap: loadAlbums,
  });
  return () => {
    clearTimeout(timer);
    stop();
  };
}
