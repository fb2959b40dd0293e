import { type MaybePromise, whenKnown } from "../concurrency/maybe-promise.ts";
import { within } from "../concurrency/timeout.ts";
import type { Network } from "../domain/access.ts";
import type { Caller } from "../domain/caller.ts";
import { StoreError } from "../domain/errors.ts";
import { TokenRefusal } from "../domain/token.ts";
import type { Access } from "./access.ts";
import { createClientAddress } from "./client-address.ts";
import { createCors } from "./cors.ts";
import { errorHeaders } from "./error-headers.ts";
import { type Exchange, startExchange } from "./exchange.ts";
import { currentHttpDate } from "./http-date.ts";
import { problem, statusOf } from "./problem.ts";
import { declaredSize, dropRest, hasBody } from "./request-body.ts";
import { createResource, groupByPath } from "./resource.ts";
import type { Route } from "./route.ts";
import { createRouter } from "./router.ts";
import { closeAfter } from "./unread-body.ts";

export interface HttpAppOptions {
  readonly access: Access;
  readonly corsOrigins: readonly string[];
  /** Default: none. */
  readonly trustedProxies?: readonly Network[];
  /** In bytes. */
  readonly maxJson: number;
  /** After each answer, before its body is sent. */
  readonly onResponse?: (response: ResponseRecord) => void;
  /** What the store is to blame for: an answer of 500 and above whose cause is for the log only, or a bug. */
  readonly onError?: (error: unknown, request: { requestId: string; operationId: string | undefined }) => void;
}

/** One answered request, for logs and metrics. */
export interface ResponseRecord {
  /** undefined where no route answered. */
  readonly operationId: string | undefined;
  readonly method: string;
  /** As sent, without the query: a client chose it. */
  readonly path: string;
  readonly status: number;
  /** Until the answer was ready to be sent. */
  readonly seconds: number;
  /** As declared; undefined for a chunked body or a stream. */
  readonly requestBytes: number | undefined;
  readonly responseBytes: number | undefined;
  readonly requestId: string;
  readonly principal: string | undefined;
  /** The token that was refused, where one was. */
  readonly refusedToken: TokenRefusal | undefined;
  /** Why a client was not let in, in one word; undefined where nothing more is to be said. */
  readonly reason: string | undefined;
  /** Who sent it, as far as a trusted proxy tells; undefined once the connection has gone. Looked up when asked for. */
  readonly client: string | undefined;
}

/** What the server knows of a request beside it. */
export interface Connection {
  readonly stopping: AbortSignal;
  /** The address at the other end; undefined where there is none, or it has gone. */
  readonly peer?: string | undefined;
}

export interface HttpApp {
  /** Never rejects. `stopping` aborts when the server begins to stop. */
  fetch(request: Request, connection: Connection): MaybePromise<Response>;
  /** What is said instead of an answer that could not be sent, such as one whose file has gone since. */
  unsendable(error: unknown): Response;
}

/** The routes as one web-standard function. What holds for every request is here and in `resource.ts`, and only there. */
export function createHttpApp<Deps>(routes: readonly Route<Deps>[], deps: Deps, options: HttpAppOptions): HttpApp {
  const cors = createCors(options.corsOrigins);
  const isForAnyOrigin = pathsForAnyOrigin(routes);
  const clientAddress = createClientAddress(options.trustedProxies ?? []);
  const resourceOptions = { ...options, cors };
  const resources = [...groupByPath(routes)].map(
    ([path, methods]) => [path, createResource(methods, deps, resourceOptions)] as const,
  );
  const findResource = createRouter(resources);

  function withoutRoute(request: Request, { anyOrigin }: Exchange): Response {
    // A page may read that there is nothing here only when its preflight succeeds.
    const allowed = request.method === "OPTIONS" ? cors.preflight(request, METHODS, anyOrigin) : undefined;
    if (allowed !== undefined) return new Response(null, { status: 204, headers: allowed });
    throw new StoreError("not_found", "No route has this path.");
  }

  function answer(request: Request, exchange: Exchange): MaybePromise<Response> {
    try {
      options.access.admit(request, exchange.anyOrigin);
      const answerFrom = findResource(exchange.segments) ?? withoutRoute;
      const response = answerFrom(request, exchange);
      return response instanceof Promise
        ? response.catch((error: unknown) => refuse(request, exchange, error))
        : response;
    } catch (error) {
      return refuse(request, exchange, error);
    }
  }

  function refuse(request: Request, exchange: Exchange, error: unknown): Response {
    if (error instanceof StoreError) {
      exchange.error = error;
      if (error.cause !== undefined && statusOf(error.code) >= 500) options.onError?.(error, exchange);
      return problem(error, exchange.requestId, {
        ...errorHeaders(request, exchange, error),
        ...(error.code === "session_ended" && options.access.endSession(request)),
      });
    }
    if (request.signal.aborted) {
      return problem(new StoreError("request_timeout", "The client disconnected."), exchange.requestId);
    }
    options.onError?.(error, exchange);
    return problem(new StoreError("internal", INTERNAL), exchange.requestId);
  }

  /** Adds what every answer has. */
  function complete(request: Request, { anyOrigin, caller, requestId }: Exchange, { headers }: Response): void {
    identify(headers, requestId);
    // The runtime gives every answer one but those to HEAD.
    if (request.method === "HEAD") headers.set("Date", currentHttpDate());
    cors.decorate(request, headers, anyOrigin);
    if (caller?.kind === "session") keepPrivate(headers);
  }

  function report(request: Request, exchange: Exchange, response: Response, connection: Connection): void {
    options.onResponse?.({
      operationId: exchange.operationId,
      method: request.method,
      path: exchange.path,
      status: response.status,
      seconds: (performance.now() - exchange.startedAt) / 1000,
      requestBytes: declaredSize(request.headers),
      responseBytes: request.method === "HEAD" ? 0 : declaredSize(response.headers),
      requestId: exchange.requestId,
      refusedToken: exchange.error?.cause instanceof TokenRefusal ? exchange.error.cause : undefined,
      principal: principalOf(exchange.caller),
      reason: exchange.error?.reason,
      get client() {
        const { peer } = connection;
        return peer === undefined ? undefined : clientAddress(peer, request.headers);
      },
    });
  }

  return {
    fetch(request, connection) {
      const exchange = startExchange(request, connection.stopping, isForAnyOrigin);
      return whenKnown(answer(request, exchange), (response) => {
        complete(request, exchange, response);
        // An unread body must not be taken for the next request, nor be received to its end however long it is.
        const dropped = hasBody(request.headers) ? dropRest(request, exchange.error) : undefined;
        return whenKnown(dropped, (unread) => {
          report(request, exchange, response, connection);
          return unread === undefined ? response : closeAfter(response, unread);
        });
      });
    },
    unsendable(error) {
      const requestId = Bun.randomUUIDv7();
      options.onError?.(error, { requestId, operationId: undefined });
      const response = problem(new StoreError("unavailable", "The response could not be sent. Try again."), requestId);
      identify(response.headers, requestId);
      return response;
    },
  };
}

/** `key:web`; undefined for a client that did not say who it is. */
function principalOf(caller: Caller | undefined): string | undefined {
  if (caller === undefined || caller.kind === "anonymous" || caller.kind === "local") return undefined;
  const name = caller.name ?? caller.id;
  return name === null ? caller.kind : `${caller.kind}:${name}`;
}

/** Whether a path, as sent, is one that pages of any origin may call, whatever follows there. */
function pathsForAnyOrigin(routes: readonly Route<never>[]): (path: string) => boolean {
  const paths = routes
    .filter(({ definition }) => definition.caller === "ticket")
    .map(({ definition }) => definition.path);
  const beginnings = [...new Set(paths.map((path) => path.slice(0, path.indexOf("{"))))];
  return (path) => beginnings.some((beginning) => path.startsWith(beginning));
}

const INTERNAL = "An internal error occurred. The log of the store has the details under the request id.";
const METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";

/** What a cookie let a client see. By `Authorization` a cache tells such a request from that of another client, but not by a cookie. */
function keepPrivate(headers: Headers): void {
  const caching = headers.get("cache-control") ?? "";
  if (!/\b(?:no-store|private)\b/.test(caching))
    headers.set("Cache-Control", ["private", caching.replace(/^public(?:, )?/, "")].filter(Boolean).join(", "));
  headers.append("Vary", "Cookie");
}

/** What every answer has. */
function identify(headers: Headers, requestId: string): void {
  headers.set("X-Request-Id", requestId);
  headers.set("X-Content-Type-Options", "nosniff");
}

export interface HttpServer {
  /** As it listens: the port is known where 0 was asked for. */
  readonly url: URL;
  /**
   * Accepts no more connections, waits for what runs, at most `timeout` milliseconds, and closes what is left. Answers
   * whether all of it came to its end.
   */
  stop(timeout: number): Promise<boolean>;
}

/** Longer than a long poll may wait, or the runtime would cut it off. In seconds. */
const IDLE_TIMEOUT = 60;

/** The only place that knows which server this runs on. Throws when it cannot listen. */
export function serve(app: HttpApp, address: { readonly host: string; readonly port: number }): HttpServer {
  const stopping = new AbortController();
  const server = Bun.serve({
    hostname: address.host,
    port: address.port,
    idleTimeout: IDLE_TIMEOUT,
    // We count bodies ourselves and say what was wrong; the runtime answers a bare 413. (1 << 40 is 256.)
    maxRequestBodySize: 2 ** 40,
    fetch: (request, listening) =>
      app.fetch(request, {
        stopping: stopping.signal,
        // Not looked up for a request that no log line tells of.
        get peer() {
          return listening.requestIP(request)?.address;
        },
      }),
    // The runtime's own is a page with our paths on it.
    error: (error) => app.unsendable(error),
  });
  return {
    url: server.url,
    async stop(timeout) {
      stopping.abort();
      const stopped = server.stop().then(() => true);
      const finished = await within(timeout, stopped, () => false);
      if (!finished) await server.stop(true);
      return finished;
    },
  };
}
