import { cloudEventJson, encodeCursor } from "../domain/event.ts";
import type { EventPage } from "../operations/events.ts";

/** In milliseconds: the comment that keeps proxies from closing a quiet stream, and how long a reader may take nothing. */
export const HEARTBEAT = 15_000;

/**
 * A page as server-sent events. A page without events is a heartbeat; its id moves the reader on past what its filter
 * left out, although no event is dispatched.
 */
export function formatPage({ events, next }: EventPage): string {
  if (events.length === 0) return `: heartbeat\nid: ${encodeCursor(next)}\n\n`;
  return events
    .map(
      ({ event, position }) =>
        `id: ${encodeCursor(position)}\nevent: ${event.attributes.type}\ndata: ${cloudEventJson(event)}\n\n`,
    )
    .join("");
}

/**
 * A stream that asks for the next chunk only when the reader has taken the one before, so that a slow reader's backlog
 * stays in the log and not in memory. One that takes nothing for `patience` milliseconds is let go: it comes back with
 * the id of the last event it got. `onEnd` is called once, whichever side ends it.
 */
export function streamChunks(
  chunks: AsyncGenerator<string>,
  { patience, onEnd }: { patience: number; onEnd: () => void },
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let stalled: Timer | undefined;
  let ended = false;
  const end = (): void => {
    clearTimeout(stalled);
    if (ended) return;
    ended = true;
    onEnd();
    void chunks.return(undefined).catch(() => undefined);
  };
  return new ReadableStream(
    {
      async pull(controller) {
        clearTimeout(stalled);
        // An error that comes later than the first page has no status left to tell it: the stream ends, and the
        // reader's next request gets it.
        const next = await chunks.next().catch(() => ({ done: true as const, value: undefined }));
        if (ended) return;
        if (next.done) {
          end();
          controller.close();
          return;
        }
        controller.enqueue(encoder.encode(next.value));
        stalled = setTimeout(() => {
          end();
          controller.close();
        }, patience);
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}
