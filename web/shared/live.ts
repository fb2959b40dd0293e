import { signal } from "@preact/signals";
import { type CloudEvent, type EventType, StoreError } from "../../client/src/index.ts";
import { may } from "./session.ts";
import { sessionEnded, store, streamsOpened } from "./store.ts";

/** Whether changes of others arrive: `off` where the caller may not read events. */
export const liveState = signal<"off" | "on" | "lost">("off");

interface Listener {
  /** Where the listing stands that the view shows; undefined before it is read. */
  readonly from: () => string | undefined;
  readonly types?: readonly EventType[] | undefined;
  readonly albumId?: string | undefined;
  readonly onEvent: (event: CloudEvent) => void;
  /** Events were missed, or nothing is listed yet: list, so that `from` gives a new place. It never rejects. */
  readonly onGap: () => Promise<void>;
}

const RETRY_MS = 2000;

/** Follows the changes until it is called off. A lost connection, a restart of the store and a gap in the log are survived. */
export function follow(listener: Listener): () => void {
  const over = new AbortController();
  const stopWatching = streamsOpened.subscribe(() => {
    if (liveState.peek() === "lost") liveState.value = "on";
  });
  if (may("events")) void keepFollowing(listener, over.signal);
  else void listener.onGap();
  return () => {
    over.abort();
    stopWatching();
    liveState.value = "off";
  };
}

async function keepFollowing(listener: Listener, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    try {
      if (listener.from() === undefined) await listener.onGap();
      const from = listener.from();
      if (over.aborted) return;
      if (from !== undefined) await readEvents(listener, from, over);
    } catch (error) {
      if (over.aborted) return;
      const isRefused = error instanceof StoreError && (error.status === 401 || error.status === 403);
      if (isRefused) {
        liveState.value = "off";
        if (!sessionEnded.peek()) return;
        await whenSignedIn(over);
        continue;
      }
      liveState.value = "lost";
      if (error instanceof StoreError && error.status === 410) await listener.onGap();
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** Once the person has signed in again beside this, or it is over. */
function whenSignedIn(over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const stop = sessionEnded.subscribe((hasEnded) => {
      if (!hasEnded) resolve();
    });
    over.addEventListener("abort", () => {
      stop();
      resolve();
    });
  });
}

async function readEvents({ types, albumId, onEvent }: Listener, from: string, over: AbortSignal): Promise<void> {
  liveState.value = "on";
  const onReconnect = (error: StoreError | undefined) => {
    if (error !== undefined) liveState.value = "lost";
  };
  for await (const { event } of store.follow({ from, types, albumId, signal: over, onReconnect })) onEvent(event);
}
