import { StoreError } from "./errors.ts";
import type { CloudEvent, EventType } from "./records.ts";
import { backoff, pause, type Transport } from "./transport.ts";

export interface FollowOptions {
  /**
   * Where to begin: the `cursor` of the last event that was handled, the `watermark` of a listing, or `latest` for events from now on.
   * Default: the oldest event that the store keeps.
   */
  readonly from?: string | undefined;
  /** Only events of these types, such as `imagestore.image.created`. */
  readonly types?: readonly EventType[] | undefined;
  /** Only events of this album and its images. */
  readonly albumId?: string | undefined;
  /** Ends it without an error. */
  readonly signal?: AbortSignal | undefined;
  /** Told each time that the connection was lost, before it is made again. */
  readonly onReconnect?: ((error: StoreError | undefined) => void) | undefined;
}

export interface FollowedEvent {
  readonly event: CloudEvent;
  /** Keep it once the event is handled: a later `follow({ from })` goes on behind it. */
  readonly cursor: string;
}

/**
 * The store's events, oldest first and each once, for as long as the caller asks for more. A lost connection is made again
 * behind the last event, without a limit.
 * @throws StoreError `cursor_expired` and `cursor_unknown` (410): events in between are gone, so list again and follow from that
 * listing's `watermark`; every other refusal of the store, such as `forbidden`
 */
export async function* follow(transport: Transport, options: FollowOptions = {}): AsyncGenerator<FollowedEvent, void> {
  const { signal } = options;
  let cursor = options.from;
  let failures = 0;
  const isOver = () => signal?.aborted === true;
  while (!isOver()) {
    let lost: StoreError | undefined;
    try {
      for await (const message of readStream(transport, options, cursor)) {
        failures = 0;
        cursor = message.id ?? cursor;
        if (message.data !== "") yield { event: JSON.parse(message.data) as CloudEvent, cursor: cursor as string };
      }
    } catch (error) {
      if (isOver()) return;
      if (!(error instanceof StoreError) || !passes(error)) throw error;
      lost = error;
    }
    if (isOver()) return;
    options.onReconnect?.(lost);
    // An end without an error is the server's, which stops or lets a slow reader go: it answers again at once.
    await pause(backoff(lost === undefined ? 0 : failures++), signal).catch(() => undefined);
  }
}

const passes = ({ status }: StoreError): boolean => status === 0 || status === 429 || status >= 500;

interface Message {
  readonly id: string | undefined;
  /** Empty for a heartbeat. */
  readonly data: string;
}

/** Milliseconds without a byte after which a connection is taken for dead. The store sends a heartbeat every 15 seconds. */
const SILENCE = 45_000;

async function* readStream(
  transport: Transport,
  { types, albumId, signal }: FollowOptions,
  cursor: string | undefined,
): AsyncGenerator<Message> {
  const query = new URLSearchParams();
  for (const type of types ?? []) query.append("type", type);
  if (albumId !== undefined) query.set("albumId", albumId);
  if (cursor !== undefined) query.set("after", cursor);
  const silent = new AbortController();
  const signals = signal === undefined ? [silent.signal] : [signal, silent.signal];
  const make = async () =>
    new Request(`${transport.url}/v1/events/stream?${query.toString()}`, {
      headers: { ...(await transport.headers()), Accept: "text/event-stream" },
      signal: AbortSignal.any(signals),
      cache: "no-store",
    });
  const { body } = await transport.send(make, { repeatable: false });
  if (body === null) return;
  const reader = body.getReader();
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      timer = setTimeout(() => silent.abort(), SILENCE);
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw new StoreError("The connection was lost.", { status: 0, code: "unreachable", cause });
      });
      clearTimeout(timer);
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      yield* blocks.map(parseMessage);
    }
  } finally {
    clearTimeout(timer);
    await reader.cancel().catch(() => undefined);
  }
}

function parseMessage(block: string): Message {
  const valuesOf = (field: string) =>
    block
      .split("\n")
      .filter((line) => line.startsWith(`${field}: `))
      .map((line) => line.slice(field.length + 2));
  return { id: valuesOf("id").at(-1), data: valuesOf("data").join("\n") };
}
