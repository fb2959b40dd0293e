import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { type AppOptions, createApp, describeApi, routes } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";
import { RIGHTS } from "../../src/domain/access.ts";
import { essenceOf } from "../../src/http/media-type.ts";
import type { OpenApiDocument } from "../../src/http/openapi.ts";
import type { WebhookSender } from "../../src/ports/webhook-sender.ts";
import type { BlobStore, Catalog } from "../../src/ports.ts";
import { openBlobs, openCatalog } from "../../src/stores.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { createAnswerChecker } from "./answer-checker.ts";
import { eventsReadable, placesFor } from "./places.ts";

/** Made once a process: it compiles schemas. */
export const checker = createAnswerChecker(
  JSON.parse(describeApi()) as OpenApiDocument,
  routes.filter(({ definition }) => definition.isOfPage).map(({ definition }) => definition.path),
);

/** The real store, listening on a port of its own, with everything in a folder that goes with it. */
export interface TestStore extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly dataFolder: string;
  /** Of its own, beside the server's: for what no request does. */
  openCatalog(): Promise<Catalog>;
  openBlobs(): Promise<BlobStore>;
  /** Like the global one, with a path. Every answer is checked against openapi.json. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Answers a request as the server would, without a socket. */
  handle(request: Request): Promise<Response>;
  /** `fetch` with a JSON body. */
  send(method: string, path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** Raw bytes over a socket of its own, and all that comes back until it closes or nothing came for a while. */
  sendRaw(data: string | Uint8Array): Promise<{ text: string; closed: boolean }>;
}

/** `env` without the prefix: `startStore({ MAX_UPLOAD: "1MiB" })`. */
export async function startStore(
  env: Readonly<Record<string, string>> = {},
  options: AppOptions = {},
): Promise<TestStore> {
  const dataFolder = await newFolder("http");
  // A description makes an event when it is ready, in the middle of those that a test counts.
  const defaults = { PORT: "0", MIN_FREE: "0", LOG_LEVEL: "silent", DESCRIBE: "false" };
  const places = await placesFor(env["DATA"] ?? dataFolder);
  const settings = { ...defaults, ...places, DATA: dataFolder, ...env };
  const prefixed = Object.fromEntries(Object.entries(settings).map(([name, value]) => [`IMAGE_STORE_${name}`, value]));
  const config = parseConfig({ env: prefixed, readFile: (path) => readFileSync(path, "utf8") });
  const app = await createApp(config, options);
  const port = Number(new URL(app.url).port);

  const store: TestStore = {
    url: app.url,
    port,
    dataFolder,
    openCatalog: () => openCatalog(config, { as: "beside", onFatal: failTest }),
    openBlobs: () => openBlobs(config, "beside"),
    async fetch(path, init = {}) {
      if (/^\/v1\/(events|albums|images|cursors)[^/]*$|\/images(\?|$)/.test(path)) await eventsReadable(config.catalog);
      const response = await fetch(`${app.url}${path}`, { redirect: "manual", ...init });
      const isForm = init.body instanceof FormData;
      const sentType = isForm ? "multipart/form-data" : essenceOf(new Headers(init.headers).get("content-type"));
      await checker.check(init.method ?? "GET", path.split("?", 1)[0] ?? "", response, sentType);
      return response;
    },
    handle: app.fetch,
    send: (method, path, body, headers = {}) =>
      store.fetch(path, {
        method,
        headers: { "Content-Type": "application/json", ...headers },
        body: JSON.stringify(body),
      }),
    sendRaw: (data) => sendRaw(port, data),
    async [Symbol.asyncDispose]() {
      await app[Symbol.asyncDispose]();
      await removeFolder(dataFolder);
    },
  };
  return store;
}

/** A sender of webhooks that takes any URL, since those of examples have no host, and connects to none. */
export const nowhere: WebhookSender = {
  requireAllowed: async () => {},
  send: async () => ({
    delivered: true,
    milliseconds: 1,
    status: 204,
    error: null,
    response: "",
    retryAfter: null,
  }),
  [Symbol.dispose]: () => {},
};
export const ANY_URL: AppOptions = { webhookSender: nowhere };

/** A key of the configuration that may do everything, for a store that must not be keyless. */
export const ROOT = { secret: "root".repeat(10), id: "root" };
export const ROOT_KEY = `root:${RIGHTS.join("+")}:${new Bun.CryptoHasher("sha256").update(ROOT.secret).digest("hex")}`;

/** The store for a client that sends the root's key with each request, unless it sends another. */
export function asRoot(store: TestStore): TestStore {
  const fetchAsRoot: TestStore["fetch"] = (path, init = {}) => {
    const headers = new Headers(init.headers);
    if (!headers.has("authorization")) headers.set("Authorization", `Bearer ${ROOT.secret}`);
    return store.fetch(path, { ...init, headers });
  };
  return {
    ...store,
    fetch: fetchAsRoot,
    send: (method, path, body, headers = {}) =>
      fetchAsRoot(path, {
        method,
        headers: { "Content-Type": "application/json", ...headers },
        body: JSON.stringify(body),
      }),
  };
}

const failTest = (error: Error): never => {
  throw error;
};

/** After a whole answer: there may be another behind it. */
const QUIET = 300;
/** After a part of one: a busy machine may take a while for the rest. */
const STALLED = 10_000;

/** Whether an answer of a stated length is all there; one without is taken for that, as to HEAD. */
function isWhole(request: string | Uint8Array, text: string): boolean {
  const [head = "", ...bodies] = text.split("\r\n\r\n");
  const isHead = Buffer.from(request).subarray(0, 5).toString("latin1") === "HEAD ";
  const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
  return isHead || (bodies.length > 0 && bodies.join("\r\n\r\n").length >= length);
}

export function sendRaw(port: number, data: string | Uint8Array): Promise<{ text: string; closed: boolean }> {
  const { promise, resolve } = Promise.withResolvers<{ text: string; closed: boolean }>();
  let text = "";
  let quiet: Timer | undefined;
  const socket = connect(port, "127.0.0.1", () => socket.write(data));
  const end = (closed: boolean) => {
    clearTimeout(quiet);
    socket.destroy();
    resolve({ text, closed });
  };
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
    clearTimeout(quiet);
    quiet = setTimeout(end, isWhole(data, text) ? QUIET : STALLED, false);
  });
  socket.on("close", () => end(true));
  // A reset after the answer: what came counts.
  socket.on("error", () => end(true));
  return promise;
}

export const jsonOf = async <Value>(response: Response): Promise<Value> => (await response.json()) as Value;
