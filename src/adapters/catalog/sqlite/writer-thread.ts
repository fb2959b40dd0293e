import type { Change } from "../../../domain/change.ts";
import { openConnection } from "./connection.ts";
import { createSqliteWriter } from "./writer.ts";
import type { BatchResult, Writer } from "./writer-port.ts";

/** As JSON, which costs a third of what a structured clone of the same batch does. */
type Request = { readonly open: string } | { readonly run: readonly Change[] } | { readonly close: true };
type Reply = { readonly result: BatchResult } | { readonly done: true } | { readonly failed: string };

/** The side of it that a thread has of itself, or one end of a channel. */
export interface Port {
  postMessage(message: string): void;
  addEventListener(type: "message", listener: (event: MessageEvent<string>) => void): void;
}

/** What the thread does: opens, runs batch after batch, closes. */
export function serveWriter(port: Port): void {
  let writer: Writer | undefined;

  const serve = async (request: Request): Promise<Reply> => {
    if ("open" in request) writer = createSqliteWriter(openConnection(request.open, { readonly: false }));
    else if (writer === undefined) throw new Error("The writer is not open.");
    else if ("run" in request) return { result: await writer.run(request.run) };
    else await writer.close();
    return { done: true };
  };

  port.addEventListener("message", (event) => {
    void serve(JSON.parse(event.data) as Request)
      .catch((error: unknown): Reply => ({ failed: error instanceof Error ? String(error.stack) : String(error) }))
      .then((reply) => port.postMessage(JSON.stringify(reply)));
  });
}

/**
 * A writer on a thread of its own, so that reads never wait for a sync.
 * @param thread runs {@link serveWriter}
 */
export async function startWriterThread(
  path: string,
  thread = new Worker(new URL("./writer-worker.ts", import.meta.url).href),
): Promise<Writer> {
  const death = Promise.withResolvers<Error>();
  let dead: Error | undefined;
  let pending: PromiseWithResolvers<Reply> | undefined;

  const die = (error: Error) => {
    dead ??= error;
    pending?.reject(dead);
    death.resolve(dead);
  };
  thread.addEventListener("error", (event) => die(new Error(`The writer thread failed: ${event.message}`)));
  thread.addEventListener("close", () => die(new Error("The writer thread has ended.")));
  thread.addEventListener("message", (event: MessageEvent<string>) => {
    const reply = JSON.parse(event.data) as Reply;
    if ("failed" in reply) pending?.reject(new Error(reply.failed));
    else pending?.resolve(reply);
  });

  const ask = (request: Request): Promise<Reply> => {
    if (dead !== undefined) return Promise.reject(dead);
    pending = Promise.withResolvers<Reply>();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    thread.postMessage(JSON.stringify(request));
    return pending.promise;
  };

  const close = async () => {
    try {
      if (dead === undefined) await ask({ close: true });
    } finally {
      dead ??= new Error("The writer is closed.");
      thread.terminate();
    }
  };

  try {
    await ask({ open: path });
  } catch (error) {
    thread.terminate();
    throw error;
  }
  return {
    run: async (changes) => ((await ask({ run: changes })) as { result: BatchResult }).result,
    close,
    death: death.promise,
  };
}
