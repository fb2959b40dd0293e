import { createEraser, type Erase } from "./eraser.ts";
import type { Gap, Place } from "./format.ts";
import type { Living } from "./segments.ts";

/** As JSON, which costs a third of what a structured clone does. */
interface Request {
  readonly path: string;
  readonly places: readonly (Place | Gap)[];
}
type Reply = { readonly erased: Living } | { readonly failed: SystemError };
/** What is told of an error of the file system from here on. */
type SystemError = Pick<NodeJS.ErrnoException, "message" | "code" | "syscall">;

/** The side of it that a thread has of itself, or one end of a channel. */
export interface Port {
  postMessage(message: string): void;
  addEventListener(type: "message", listener: (event: MessageEvent<string>) => void): void;
}

/** What the thread does: answers each request, in order. */
export function serveEraser(port: Port): void {
  const erase = createEraser();
  const answer = ({ path, places }: Request): Reply => {
    try {
      return { erased: erase(path, places) };
    } catch (error) {
      const { message, code, syscall } = error as NodeJS.ErrnoException;
      return { failed: { message, ...(code && { code }), ...(syscall && { syscall }) } };
    }
  };
  port.addEventListener("message", (event) => {
    port.postMessage(JSON.stringify(answer(JSON.parse(event.data) as Request)));
  });
}

export interface EraserThread extends Disposable {
  readonly erase: Erase;
}

const startWorker = () => new Worker(new URL("./eraser-worker.ts", import.meta.url).href);

/**
 * Erases on a thread of its own, so that nobody else waits for the disk. It begins with the first request, since many a
 * store never deletes, and where it dies, with the next one after that.
 * @param start a thread that runs {@link serveEraser}
 */
export function createEraserThread(start: () => Worker = startWorker): EraserThread {
  let thread: Worker | undefined;
  /** In the order in which the thread answers. */
  const pending: PromiseWithResolvers<Living>[] = [];

  function open(): Worker {
    const opened = start();
    const die = (why: string) => {
      if (thread !== opened) return;
      thread = undefined;
      opened.terminate();
      for (const { reject } of pending.splice(0)) reject(new Error(`The thread that erases blobs ${why}`));
    };
    opened.addEventListener("error", (event) => die(`failed: ${event.message}`));
    opened.addEventListener("close", () => die("has ended."));
    opened.addEventListener("message", (event: MessageEvent<string>) => {
      const reply = JSON.parse(event.data) as Reply;
      const asked = pending.shift();
      if ("erased" in reply) asked?.resolve(reply.erased);
      else asked?.reject(Object.assign(new Error(reply.failed.message), reply.failed));
    });
    return opened;
  }

  return {
    erase(path, places) {
      thread ??= open();
      const asked = Promise.withResolvers<Living>();
      pending.push(asked);
      const request: Request = { path, places };
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      thread.postMessage(JSON.stringify(request));
      return asked.promise;
    },
    [Symbol.dispose]() {
      const ended = thread;
      thread = undefined;
      ended?.terminate();
    },
  };
}
