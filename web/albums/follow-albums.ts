import { follow } from "../shared/live.ts";
import { createThrottle } from "../shared/throttle.ts";
import { loadAlbums, watermark } from "./albums-state.ts";

const PAUSE_MS = 400;

/** Lists the albums and again after changes, at most each {@link PAUSE_MS}. */
export function followAlbums(): () => void {
  const changes = createThrottle(PAUSE_MS, () => void loadAlbums());
  watermark.value = undefined;
  const stop = follow({
    from: () => watermark.value,
    onEvent: () => changes.call(),
    onGap: loadAlbums,
  });
  return () => {
    changes.stop();
    stop();
  };
}
