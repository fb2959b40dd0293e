import type { ThreadPort } from "../src/concurrency/worker-thread.ts";

/** What runs on a thread, in this one, where the coverage is counted. */
export interface ServedThread extends Disposable {
  /** Sends the request, and resolves with the message that answers it. */
  ask(request: object): Promise<Record<string, unknown>>;
}

export function serveHere(serve: (port: ThreadPort) => void): ServedThread {
  const { port1, port2 } = new MessageChannel();
  serve(port1);
  port1.start();
  port2.start();
  return {
    ask: (request) =>
      new Promise((resolve) => {
        const answer = (event: Event) =>
          resolve(JSON.parse((event as MessageEvent<string>).data) as Record<string, unknown>);
        port2.addEventListener("message", answer, { once: true });
        port2.postMessage(JSON.stringify(request));
      }),
    [Symbol.dispose]: () => port1.close(),
  };
}
