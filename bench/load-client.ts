/**
 * Sends one load (its JSON is the argument) and prints the result as JSON. It speaks just enough HTTP/1.1 for answers of
 * a known length on connections that are kept.
 */
import type { Socket } from "bun";
import type { Load, LoadResult } from "./load.ts";
import { STAMP_BYTES, STAMP_FROM_END } from "./stamp.ts";
import { percentile } from "./statistics.ts";

interface Connection {
  socket: Socket<Connection> | undefined;
  /** What the socket has not taken yet. */
  unsent: Uint8Array;
  /** When the running request was due. */
  dueAt: number;
  status: string;
  head: string;
  /** Bytes of the body still to come; undefined while the head is incomplete. */
  missing: number | undefined;
  waiting: boolean;
}

const load = JSON.parse(process.argv[2] ?? "") as Load;
const image = load.imageFile === undefined ? undefined : await Bun.file(load.imageFile).bytes();
const latencies: number[] = [];
const errors: Record<string, number> = {};
const start = performance.now();
const end = start + load.seconds * 1000;
const most = load.requests ?? Number.POSITIVE_INFINITY;
let sent = 0;
let running = 0;
let lost = 0;
let lastAnswerAt = start;
let onIdle: (connection: Connection) => void = sendNext;
const { promise: finished, resolve: finish } = Promise.withResolvers<void>();

const connections = await Promise.all(Array.from({ length: load.connections }, connect));
if (load.rate === undefined) for (const connection of connections) sendNext(connection);
else pace(load.rate);
await finished;
for (const connection of connections) connection.socket?.end();
const seconds = (lastAnswerAt - start) / 1000;
const result: LoadResult = {
  requests: latencies.length,
  seconds,
  perSecond: latencies.length / seconds,
  p50: percentile(latencies, 0.5),
  p75: percentile(latencies, 0.75),
  p90: percentile(latencies, 0.9),
  p99: percentile(latencies, 0.99),
  p999: percentile(latencies, 0.999),
  errors,
};
console.log(JSON.stringify(result));

async function connect(): Promise<Connection> {
  const connection: Connection = {
    socket: undefined,
    unsent: new Uint8Array(),
    dueAt: 0,
    status: "",
    head: "",
    missing: 0,
    waiting: false,
  };
  connection.socket = await Bun.connect<Connection>({
    hostname: "127.0.0.1",
    port: load.port,
    data: connection,
    socket: {
      data: (from, chunk) => receive(from.data, chunk),
      drain: (to) => flush(to.data),
      close: (closed) => lose(closed.data, "closed"),
      error: (broken, error) => lose(broken.data, error.message),
    },
  });
  return connection;
}

/** A request is due at each tick of the rate; where every connection is busy it waits, and its time runs. */
function pace(rate: number): void {
  const idle = [...connections];
  const due: number[] = [];
  let ticks = 0;
  const dispatch = () => {
    while (due.length > 0 && idle.length > 0) send(idle.pop() as Connection, due.shift() as number);
  };
  onIdle = (connection) => {
    idle.push(connection);
    dispatch();
  };
  const timer = setInterval(() => {
    const now = Math.min(performance.now(), end);
    for (; start + (ticks * 1000) / rate < now && ticks < most; ticks++) due.push(start + (ticks * 1000) / rate);
    dispatch();
    if ((now >= end || ticks >= most) && due.length === 0) {
      clearInterval(timer);
      onIdle = finishWhenDone;
      finishWhenDone();
    }
  }, 1);
}

function sendNext(connection: Connection): void {
  if (performance.now() < end && sent < most) send(connection, performance.now());
  else finishWhenDone();
}

function finishWhenDone(): void {
  if (running === 0) finish();
}

function send(connection: Connection, dueAt: number): void {
  connection.dueAt = dueAt;
  connection.head = "";
  connection.missing = undefined;
  connection.waiting = true;
  running++;
  connection.unsent = request(sent++);
  flush(connection);
}

function request(n: number): Uint8Array {
  const fill = (template: string) =>
    template
      .replaceAll("{n}", String(n))
      .replaceAll("{r}", () => String(Math.floor(Math.random() * (load.range ?? 1))));
  const text = load.body === undefined ? "" : fill(load.body);
  const headers = Object.entries({
    host: `127.0.0.1:${load.port}`,
    "content-length": String(image?.length ?? Buffer.byteLength(text)),
    ...load.headers,
  });
  const head = `${load.method} ${fill(load.path)} HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  if (image === undefined) return Buffer.from(head + text);
  const whole = Buffer.concat([Buffer.from(head), image]);
  crypto.getRandomValues(whole.subarray(-STAMP_FROM_END).subarray(0, STAMP_BYTES));
  return whole;
}

function flush(connection: Connection): void {
  if (connection.unsent.length === 0) return;
  const taken = connection.socket?.write(connection.unsent) ?? 0;
  if (taken > 0) connection.unsent = connection.unsent.subarray(taken);
}

function receive(connection: Connection, chunk: Buffer): void {
  let body = chunk.length;
  if (connection.missing === undefined) {
    connection.head += chunk.toString("latin1");
    const headEnd = connection.head.indexOf("\r\n\r\n");
    if (headEnd < 0) return;
    body = connection.head.length - headEnd - 4;
    connection.status = connection.head.slice(9, 12);
    connection.missing = lengthOf(connection.head.slice(0, headEnd), connection.status);
  }
  connection.missing -= body;
  if (connection.missing === 0) answered(connection);
}

function lengthOf(head: string, status: string): number {
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) return Number(length);
  if (status === "204" || status === "304") return 0;
  throw new Error(`An answer without a length: ${head}`);
}

function answered(connection: Connection): void {
  lastAnswerAt = performance.now();
  connection.waiting = false;
  running--;
  if (connection.status === String(load.expect)) latencies.push(lastAnswerAt - connection.dueAt);
  else count(connection.status);
  onIdle(connection);
}

/** A broken connection is not used again, and its pending request is an error. */
function lose(connection: Connection, why: string): void {
  lost++;
  if (connection.waiting) {
    connection.waiting = false;
    running--;
    count(why);
  }
  if (lost === load.connections) finish();
}

function count(error: string): void {
  errors[error] = (errors[error] ?? 0) + 1;
}
