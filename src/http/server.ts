import { Hono } from "hono";
import { StoreError } from "../domain/errors.ts";
import type { Access } from "./access.ts";
import { createCors } from "./cors.ts";
import { type Exchange, startExchange } from "./exchange.ts";
import { hasBody } from "./json-body.ts";
import { problem, statusOf } from "./problem.ts";
import { createResource, groupByPath } from "./resource.ts";
import type { Route } from "./route.ts";
import { closeBehind, discardBody } from "./upload.ts";

export interface HttpAppOptions {
  readonly access: Access;
  readonly corsOrigins: readonly string[];
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
}

export interface HttpApp {
  /** Never rejects. `stopping` aborts when the server begins to stop. */
  fetch(request: Request, connection: { readonly stopping: AbortSignal }): Promise<Response>;
  /** What is said instead of an answer that could not be sent, such as one whose file has gone since. */
  unsendable(error: unknown): Response;
}

/** The routes as one web-standard function. What holds for every request is here and in `resource.ts`, and only there. */
export function createHttpApp<Needs>(routes: readonly Route<Needs>[], needs: Needs, options: HttpAppOptions): HttpApp {
  const cors = createCors(options.corsOrigins);
  const hono = new Hono<{ Bindings: Exchange }>({ getPath: (_request, passed) => matchable(passed?.env?.path ?? "") });
  for (const [path, methods] of groupByPath(routes)) {
    const resource = createResource(methods, needs, { ...options, cors });
    hono.all(path.replaceAll(/\{(\w+)\}/g, ":$1"), (context) => resource(context.req.raw, context.env));
  }
  hono.notFound(() => {
    throw new StoreError("not_found", "There is nothing at this path.");
  });
  hono.onError((error) => {
    throw error;
  });

  async function answer(request: Request, exchange: Exchange): Promise<Response> {
    try {
      options.access.admit(request);
      return await hono.fetch(request, exchange);
    } catch (error) {
      if (error instanceof StoreError) {
        if (error.cause !== undefined && statusOf(error.code) >= 500) options.onError?.(error, exchange);
        return problem(error, exchange.requestId);
      }
      if (request.signal.aborted) {
        return problem(new StoreError("request_timeout", "The client went away."), exchange.requestId);
      }
      options.onError?.(error, exchange);
      return problem(new StoreError("internal", "Something went wrong in the store."), exchange.requestId);
    }
  }

  return {
    async fetch(request, { stopping }) {
      const started = performance.now();
      const exchange = startExchange(request, stopping);
      const response = await answer(request, exchange);
      const { headers } = response;
      headers.set("X-Request-Id", exchange.requestId);
      headers.set("X-Content-Type-Options", "nosniff");
      cors.decorate(request, headers);
      // A body that nobody read must not be taken for the next request, nor be received to its end however long it is.
      if (hasBody(request.headers) && !request.bodyUsed) await discardBody(request);
      options.onResponse?.({
        operationId: exchange.operationId,
        method: request.method,
        path: exchange.path,
        status: response.status,
        seconds: (performance.now() - started) / 1000,
        requestBytes: declaredBytes(request.headers),
        responseBytes: request.method === "HEAD" ? 0 : declaredBytes(headers),
        requestId: exchange.requestId,
        principal: exchange.grant?.principal,
      });
      return closeBehind(response, request);
    },
    unsendable(error) {
      const requestId = Bun.randomUUIDv7();
      options.onError?.(error, { requestId, operationId: undefined });
      return problem(new StoreError("unavailable", "The answer could not be sent. Try again."), requestId);
    },
  };
}

/**
 * The path as sent: decoded, as Hono would have it, %2F became a separator. An empty segment gets a stand-in that no
 * target has, since it is a bad name and not another path, and Hono's fast router takes no pattern that matches nothing.
 */
function matchable(path: string): string {
  if (!path.endsWith("/") && !path.includes("//")) return path;
  return path.replaceAll(/\/(?=\/|$)/g, "/\0");
}

function declaredBytes(headers: Headers): number | undefined {
  const declared = headers.get("content-length");
  return declared === null ? undefined : Number(declared);
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
    fetch: (request) => app.fetch(request, { stopping: stopping.signal }),
    // The runtime's own is a page with our paths on it.
    error: (error) => app.unsendable(error),
  });
  return {
    url: server.url,
    async stop(timeout) {
      stopping.abort();
      const { promise: late, resolve } = Promise.withResolvers<false>();
      const timer = setTimeout(resolve, timeout, false);
      const finished = await Promise.race([server.stop().then(() => true), late]);
      clearTimeout(timer);
      if (!finished) await server.stop(true);
      return finished;
    },
  };
}
