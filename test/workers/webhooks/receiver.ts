/** A receiver of webhooks that notes what it got. */
export interface ReceivedEvent {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly partitionkey: string;
  readonly sequence: string;
}

export interface Receiver extends AsyncDisposable {
  readonly url: string;
  /** Each event that it confirmed for the first time, in that order. */
  readonly events: readonly ReceivedEvent[];
  /** Requests, refused ones too. */
  readonly requests: number;
  /** Confirmed events that came again. */
  readonly duplicates: number;
  /** Events that came before an earlier one of their album. */
  outOfOrder(): number;
}

/** What the store sent, as a verifier of signatures needs it. */
export interface Delivery {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** @param answer called for each request; a status of 2xx confirms it */
export function startReceiver(
  answer: (event: ReceivedEvent, delivery: Delivery) => Response | Promise<Response> = () =>
    new Response(null, { status: 204 }),
): Receiver {
  const events: ReceivedEvent[] = [];
  const known = new Set<string>();
  let requests = 0;
  let duplicates = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      requests++;
      const body = await request.text();
      const event = JSON.parse(body) as ReceivedEvent;
      const { pathname: path } = new URL(request.url);
      const response = await answer(event, { path, headers: Object.fromEntries(request.headers), body });
      if (!response.ok) return response;
      if (known.has(event.id)) duplicates++;
      else {
        known.add(event.id);
        events.push(event);
      }
      return response;
    },
  });
  return {
    url: server.url.href,
    events,
    get requests() {
      return requests;
    },
    get duplicates() {
      return duplicates;
    },
    outOfOrder() {
      const last = new Map<string, string>();
      let wrong = 0;
      for (const { partitionkey, sequence } of events) {
        if (sequence < (last.get(partitionkey) ?? "")) wrong++;
        last.set(partitionkey, sequence);
      }
      return wrong;
    },
    async [Symbol.asyncDispose]() {
      await server.stop(true);
    },
  };
}
