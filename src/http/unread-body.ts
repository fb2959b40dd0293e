import { type Clock, MONOTONIC } from "../concurrency/clock.ts";
import { within } from "../concurrency/timeout.ts";
import { freeMemory } from "../domain/free-memory.ts";

/** Reads a body chunk by chunk. */
export interface ChunkReader {
  /** `isLast` where that is known with the bytes. */
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array; readonly isLast?: boolean }>;
}

/** What is left of a body that was not read to its end. */
export interface UnreadBody {
  /**
   * Drops what the client sends, for up to `total` milliseconds and about `mostBytes`, or until it has sent nothing for
   * `quiet` milliseconds.
   * @returns whether the body has ended, or its client has disconnected
   */
  drop(limits: { readonly total: number; readonly quiet?: number; readonly mostBytes?: number }): Promise<boolean>;
}

export function createUnreadBody(reader: ChunkReader, clock: Clock = MONOTONIC): UnreadBody {
  let reading: Promise<Uint8Array | "end"> | undefined;

  /** A read that takes longer goes on, and the next call waits for it. */
  async function next(milliseconds: number): Promise<Uint8Array | "end" | "pause"> {
    reading ??= reader.read().then(
      ({ value }) => value ?? "end",
      () => "end",
    );
    const chunk = await within(milliseconds, reading, () => "pause" as const, clock);
    if (chunk !== "pause") reading = undefined;
    return chunk;
  }

  return {
    async drop({ total, quiet = total, mostBytes = Number.POSITIVE_INFINITY }) {
      const deadline = clock.now() + total;
      for (let left = mostBytes; left >= 0 && clock.now() < deadline; ) {
        let chunk = await next(Math.min(quiet, deadline - clock.now()));
        // When the process was stalled, the timer fires before the bytes that wait are received: look again.
        if (chunk === "pause") chunk = await next(LOOK_MS);
        if (chunk === "end") return true;
        if (chunk === "pause") return false;
        left -= chunk.length;
        freeMemory(chunk);
      }
      return false;
    },
  };
}

const LOOK_MS = 20;

/**
 * How long a connection stays open after the last bytes of its client, in milliseconds: a client or proxy on a busy machine
 * may need so long to see the response. One that keeps sending is waited for up to the total, and up to what a proxy sends
 * before it looks for a response.
 */
const LINGER = { quiet: 1000, total: 5000, mostBytes: 32 * 1024 * 1024 };

/**
 * The same response, with its connection closed behind it, but not at once: a connection that closes while bytes still
 * arrive is reset, and the client never sees the response that should make it stop. A response without a body ends with its
 * headers and can't wait, so its connection stays open and the runtime drops the rest.
 */
export async function closeAfter(response: Response, unread: UnreadBody): Promise<Response> {
  if (response.body === null) return response;
  response.headers.set("Connection", "close");
  const content = await response.bytes();
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(content);
      await unread.drop(LINGER);
      controller.close();
    },
  });
  return new Response(body, response);
}
