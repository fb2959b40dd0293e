import type { Server } from "bun";

export interface Front extends AsyncDisposable {
  readonly url: string;
  /** Paths of the requests that came, in order. */
  readonly seen: string[];
  /** Answers the next requests, one each; then they go through to the store again. */
  next(...answers: readonly (() => Response | "cut")[]): void;
  /** Cuts the connections that are open, and refuses new ones until `open`. */
  close(): Promise<void>;
  open(): void;
}

/** A proxy in front of the store that does what proxies and networks do. */
export function startFront(storeUrl: string): Front {
  const answers: (() => Response | "cut")[] = [];
  const seen: string[] = [];
  let server: Server<undefined>;
  const open = (port: number) => {
    server = Bun.serve({
      port,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      async fetch(request) {
        const { pathname, search } = new URL(request.url);
        seen.push(`${request.method} ${pathname}`);
        const answer = answers.shift()?.();
        if (answer === "cut") {
          // An answer whose body breaks off: the client sees a lost connection.
          return new Response(
            new ReadableStream({
              pull(controller) {
                controller.error(new Error("cut"));
              },
            }),
          );
        }
        if (answer !== undefined) return answer;
        const { signal } = request;
        return fetch(`${storeUrl}${pathname}${search}`, {
          method: request.method,
          headers: request.headers,
          body: await request.arrayBuffer().then((body) => (body.byteLength === 0 ? null : body)),
          signal,
          decompress: false,
        });
      },
      error: () => new Response("The upstream is gone.", { status: 502, headers: { "Content-Type": "text/html" } }),
    });
    return server.port as number;
  };
  const port = open(0);
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    next: (...given) => void answers.push(...given),
    close: () => server.stop(true),
    open: () => void open(port),
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}
