import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const PIECE = Buffer.alloc(64 * 1024, "x");
const HUGE_BYTES = 50_000_000;
/** Of another client than the others, as the proxy counts connections. */
const ADDRESS = "127.0.0.2";

/** Something that no good client does, over a connection of its own. */
type Attack = (connection: Connection) => Promise<void>;

interface Connection {
  readonly socket: Socket;
  /** Resolves when it was handed to the system or the connection is closed. */
  readonly send: (data: string | Uint8Array) => Promise<void>;
  /** Whether anything was answered, or the connection is closed. */
  readonly isOver: () => boolean;
  /** Until one of that, at most so many milliseconds. */
  readonly wait: (milliseconds: number) => Promise<unknown>;
}

const METHODS = ["OPTIONS", "GET", "HEAD", "DELETE", "PATCH", "POST", "PUT"];
const UNKNOWN = ["FOO", "BREW", "get", "PROPFIND", "TRACE", "CONNECT", "PURGE", "PRI", "M-SEARCH", "A".repeat(300)];
const PATHS = ["/", "/v1/albums", "/v1/albums/none", "/v1/albums/none/images/a/content", "/healthz", "/nowhere"];
const BACKSLASHES = ["/.\\metrics", "/x\\..\\metrics", "\\metrics", "/v1\\albums", "/%5c..\\metrics?a\\b"];
const HEADS = [
  "GET / HTTP/1.1\r\n\r\n",
  "GET / HTTP/1.1\r\nHost:\r\n\r\n",
  "GET / HTTP/1.0\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: \u00e9@[\r\n\r\n",
  "GET / HTTP/9.9\r\nHost: a\r\n\r\n",
  "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET /met\trics HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nX: a\u0000b\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nX: a\u0001b\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\n: no name\r\n\r\n",
  "GET / HTTP/1.1\nHost: a\n\n",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
  "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
  "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003",
  `GET / HTTP/1.1\r\nHost: a\r\n${"X-Many: 1\r\n".repeat(250)}\r\n`,
  `GET / HTTP/1.1\r\nHost: a\r\n${`X-Long: ${"a".repeat(12_000)}\r\n`.repeat(3)}\r\n`,
  `GET /${"a".repeat(15_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  `GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${"a".repeat(10_000)}\r\n\r\n`,
];

const any = <Item>(items: readonly Item[]): Item => items[Math.floor(Math.random() * items.length)] as Item;

/**
 * Where a node's runtime refuses the head of a request by itself, it resets the connection under the body. Nothing else
 * may keep nginx from an answer.
 */
export const REFUSED_BY_RUNTIME = "/many-headers";

/** A request whose body is written until there is an answer, or to its end in any case. */
async function sendHuge({ send, isOver, wait }: Connection, method: string, more = "", path = any(PATHS)) {
  const isChunked = Math.random() < 0.5;
  const isPatient = Math.random() < 0.5;
  const length = isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${HUGE_BYTES}`;
  await send(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${more}${length}\r\n\r\n`);
  const head = isChunked ? `${PIECE.length.toString(16)}\r\n` : "";
  const piece = Buffer.concat([Buffer.from(head), PIECE, Buffer.from(isChunked ? "\r\n" : "")]);
  for (let sent = 0; sent < HUGE_BYTES; sent += PIECE.length) {
    if (!isPatient && isOver()) break;
    await send(piece);
    // Between two writes any client looks for what came.
    if (sent % (16 * PIECE.length) === 0) await sleep(0);
  }
  await wait(2000);
}

const pipelined = (): string => `${any(["GET", "HEAD", "OPTIONS"])} ${any(PATHS)} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

/** By name. `image` is the path of one that anyone may read. */
const attacks = (image: string): Readonly<Record<string, Attack>> => ({
  "unknown methods": async ({ send, wait }) => {
    await send(`${any(UNKNOWN)} ${any(PATHS)} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await wait(2000);
  },
  "huge bodies": (connection) => sendHuge(connection, any(METHODS)),
  "huge bodies of unknown methods": (connection) => sendHuge(connection, any(UNKNOWN)),
  "huge bodies with many headers": (connection) =>
    sendHuge(connection, any(METHODS), "X-Many: 1\r\n".repeat(250), REFUSED_BY_RUNTIME),
  "huge bodies with a wrong key": (connection) => sendHuge(connection, any(METHODS), "Authorization: Bearer no\r\n"),
  backslashes: async ({ send, wait }) => {
    await send(`${any(METHODS)} ${any(BACKSLASHES)} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await wait(2000);
  },
  "malformed headers": async ({ send, wait }) => {
    await send(Buffer.from(any(HEADS), "latin1"));
    await wait(500);
  },
  "cut in a body": async ({ send, socket }) => {
    await send(`${any(METHODS)} ${any(PATHS)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n`);
    for (let index = Math.random() * 12; index > 0; index--) await send(PIECE);
    await sleep(Math.random() * 50);
    socket.resetAndDestroy();
  },
  "cut in a head": async ({ send, socket }) => {
    await send(`GET ${any(PATHS)} HTTP/1.1\r\nHost: loc`);
    await sleep(Math.random() * 50);
    socket.resetAndDestroy();
  },
  "cut in an answer": async ({ send, socket, wait }) => {
    await send(`GET ${image} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await wait(1000);
    socket.resetAndDestroy();
  },
  "half-closed": async ({ send, socket, wait }) => {
    await send(`GET ${any([image, ...PATHS])} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    socket.end();
    await wait(1000);
  },
  pipelines: async ({ send, wait }) => {
    await send(Array.from({ length: 30 }, pipelined).join(""));
    await wait(2000);
  },
  "slow readers": async ({ send, socket }) => {
    socket.pause();
    await send(`GET ${image} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(3));
    for (let turn = 0; turn < 20; turn++) {
      socket.read(1000);
      await sleep(200);
    }
  },
  "slow senders": async ({ send, isOver }) => {
    await send(`${any(METHODS)} ${any(PATHS)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n`);
    for (let turn = 0; turn < 40 && !isOver(); turn++) {
      await send("x");
      await sleep(100);
    }
  },
  "promises of a body": async ({ send, wait }) => {
    const expect = "Expect: 100-continue\r\nContent-Length: 100000000";
    await send(`${any(METHODS)} ${any(PATHS)} HTTP/1.1\r\nHost: localhost\r\n${expect}\r\n\r\n`);
    await wait(2000);
  },
  "many probes": async ({ send, wait }) => {
    await send("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20));
    await wait(2000);
  },
});

export interface HostileClients {
  /** How often each attack was made. */
  readonly made: Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

/** So many at a time, one attack after another, each kind in its turn. */
export function startHostileClients(port: number, image: string, clients: number): HostileClients {
  const kinds = Object.entries(attacks(image));
  const made: Record<string, number> = Object.fromEntries(kinds.map(([name]) => [name, 0]));
  const stopping = new AbortController();
  let turn = 0;
  const running = Array.from({ length: clients }, async () => {
    while (!stopping.signal.aborted) {
      const [name, attack] = kinds[turn++ % kinds.length] as (typeof kinds)[number];
      await attackOnce(port, attack);
      made[name] = (made[name] ?? 0) + 1;
    }
  });
  return {
    made,
    async stop() {
      stopping.abort();
      await Promise.all(running);
    },
  };
}

async function attackOnce(port: number, attack: Attack): Promise<void> {
  const { promise: connected, resolve: onConnect } = Promise.withResolvers<void>();
  const { promise: closed, resolve: onClose } = Promise.withResolvers<void>();
  const { promise: answered, resolve: onAnswer } = Promise.withResolvers<void>();
  let over = false;
  const socket = connect({ port, host: "127.0.0.1", localAddress: ADDRESS }, onConnect);
  socket.on("data", () => {
    over = true;
    onAnswer();
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    over = true;
    onClose();
  });
  await Promise.race([connected, closed]);
  try {
    await attack({
      socket,
      async send(data) {
        const { promise: written, resolve } = Promise.withResolvers<void>();
        socket.write(data, () => resolve());
        // A proxy that reads no more would hold it for ever.
        await Promise.race([written, closed, sleep(3000)]);
      },
      isOver: () => over,
      wait: (milliseconds) => Promise.race([answered, closed, sleep(milliseconds)]),
    });
  } finally {
    socket.destroy();
  }
}
