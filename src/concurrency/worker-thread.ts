/** The thread's own side of its channel, or one end of a MessageChannel. */
export interface ThreadPort {
  postMessage(message: string): void;
  addEventListener(type: "message", listener: (event: MessageEvent<string>) => void): void;
}

/** Messages are JSON, which costs a third of a structured clone. */
type Reply<Result> = { readonly result: Result } | { readonly error: SerializedError };
/** The members of an error that survive the message. */
type SerializedError = Pick<NodeJS.ErrnoException, "message" | "code" | "syscall" | "stack">;

/**
 * Runs on the thread: replies to each request with what `serve` returns or throws, one at a time, in order. The
 * thread trusts its parent for the type of the requests.
 */
export function serveRequests(port: ThreadPort, serve: (request: never) => unknown): void {
  const replyTo = async (message: string): Promise<Reply<unknown>> => {
    try {
      return { result: await serve(JSON.parse(message) as never) };
    } catch (error) {
      return { error: serializeError(error) };
    }
  };
  let last: Promise<void> = Promise.resolve();
  port.addEventListener("message", ({ data }) => {
    last = last.then(async () => port.postMessage(JSON.stringify(await replyTo(data))));
  });
}

function serializeError(error: unknown): SerializedError {
  if (!(error instanceof Error)) return { message: String(error) };
  const { message, code, syscall, stack } = error as NodeJS.ErrnoException;
  return { message, ...(code && { code }), ...(syscall && { syscall }), ...(stack && { stack }) };
}

/** A thread that runs {@link serveRequests}. Disposing of it terminates it. */
export interface ThreadClient<Request> extends Disposable {
  /**
   * Returns the thread's result.
   * @throws Error what the thread threw, with its `code` and `syscall`; or that the thread failed or ended
   */
  request<Result = void>(this: void, request: Request): Promise<Result>;
  /** Resolves once the thread has failed or ended; the requests that it had not served are rejected. */
  readonly death: Promise<Error>;
}

/** @param name names the thread in errors, such as "eraser thread" */
export function connectThread<Request>(thread: Worker, name: string): ThreadClient<Request> {
  /** In the order of the replies. */
  const pending: PromiseWithResolvers<unknown>[] = [];
  const death = Promise.withResolvers<Error>();
  let dead: Error | undefined;

  const die = (error: Error) => {
    if (dead !== undefined) return;
    dead = error;
    thread.terminate();
    // Before the requests: a caller that tries again finds the thread gone.
    death.resolve(error);
    for (const { reject } of pending.splice(0)) reject(error);
  };
  thread.addEventListener("error", ({ message }) => die(new Error(`The ${name} failed: ${message}`)));
  thread.addEventListener("close", () => die(new Error(`The ${name} has ended.`)));
  thread.addEventListener("message", ({ data }: MessageEvent<string>) => {
    const reply = JSON.parse(data) as Reply<unknown>;
    const request = pending.shift();
    if ("error" in reply) request?.reject(Object.assign(new Error(reply.error.message), reply.error));
    else request?.resolve(reply.result);
  });

  return {
    request<Result = void>(request: Request): Promise<Result> {
      if (dead !== undefined) return Promise.reject(dead);
      const reply = Promise.withResolvers<unknown>();
      pending.push(reply);
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      thread.postMessage(JSON.stringify(request));
      return reply.promise as Promise<Result>;
    },
    death: death.promise,
    [Symbol.dispose]: () => die(new Error(`The ${name} was stopped.`)),
  };
}
