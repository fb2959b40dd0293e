import { connect } from "node:net";

/** A connection over which a test sends what it likes, when it likes. */
export interface RawSocket extends Disposable {
  /** Resolves once it was handed to the system, or the connection is closed. */
  send(data: string | Uint8Array): Promise<void>;
  /** All that came so far. */
  readonly received: string;
  readonly closed: boolean;
  /** Until what came satisfies `found`, or the connection is closed. */
  waitFor(found: (received: string) => boolean): Promise<string>;
  waitForClose(): Promise<string>;
}

export async function openSocket(port: number): Promise<RawSocket> {
  const { promise: connected, resolve: onConnect, reject: onError } = Promise.withResolvers<void>();
  const { promise: closing, resolve: onClose } = Promise.withResolvers<void>();
  const socket = connect(port, "127.0.0.1", onConnect);
  const state = { received: "", closed: false };
  const waiting = new Set<() => void>();
  const tell = () => {
    for (const look of waiting) look();
  };
  socket.on("data", (chunk) => {
    state.received += chunk.toString("latin1");
    tell();
  });
  socket.on("close", () => {
    state.closed = true;
    onClose();
    tell();
  });
  // A reset, too: "close" follows.
  socket.on("error", onError);
  await connected;

  function waitFor(found: (received: string) => boolean): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    const look = () => {
      if (!state.closed && !found(state.received)) return;
      waiting.delete(look);
      resolve(state.received);
    };
    waiting.add(look);
    look();
    return promise;
  }
  return {
    async send(data) {
      const { promise: failed, resolve } = Promise.withResolvers<boolean>();
      socket.write(data, (error) => resolve(error !== null && error !== undefined));
      if (await Promise.race([failed, closing])) await closing;
    },
    get received() {
      return state.received;
    },
    get closed() {
      return state.closed;
    },
    waitFor,
    waitForClose: () => waitFor(() => false),
    [Symbol.dispose]: () => void socket.destroy(),
  };
}
