import { type MaybePromise, whenKnown } from "../concurrency/maybe-promise.ts";
import { authorize, authorizeOne, LINKED } from "../domain/caller.ts";
import { StoreError } from "../domain/errors.ts";
import type { Access } from "./access.ts";
import { requireNoTag } from "./conditional.ts";
import type { Cors } from "./cors.ts";
import { acceptedTypes } from "./error-headers.ts";
import { type Exchange, readTraceparent } from "./exchange.ts";
import { readJsonBody } from "./json-body.ts";
import { readParameters } from "./parameters.ts";
import { problem } from "./problem.ts";
import { createQueryReader } from "./query.ts";
import { evaluatesTags, type Method, type Route, type RouteRequest, requiredNeeds } from "./route.ts";

export type Handler = (request: Request, exchange: Exchange) => MaybePromise<Response>;

export interface ResourceOptions {
  readonly access: Access;
  readonly cors: Cors;
  /** In bytes. */
  readonly maxJson: number;
}

/** The routes by path and method. */
export function groupByPath<Deps>(routes: readonly Route<Deps>[]): Map<string, Map<Method, Route<Deps>>> {
  const paths = new Map<string, Map<Method, Route<Deps>>>();
  for (const route of routes) {
    const { method, path } = route.definition;
    const methods = paths.get(path) ?? new Map<Method, Route<Deps>>();
    if (methods.has(method)) throw new Error(`There are two routes for ${method} ${path}.`);
    paths.set(path, methods.set(method, route));
  }
  return paths;
}

/** Answers every method of one path. */
export function createResource<Deps>(
  methods: ReadonlyMap<Method, Route<Deps>>,
  deps: Deps,
  options: ResourceOptions,
): Handler {
  const allow = [...methods.keys(), ...(methods.has("GET") ? ["HEAD"] : []), "OPTIONS"].sort().join(", ");
  const handlers = new Map<string, Handler>();
  for (const [method, route] of methods) handlers.set(method, createHandler(route, deps, options));
  const get = handlers.get("GET");
  if (get !== undefined) handlers.set("HEAD", async (request, exchange) => withoutBody(await get(request, exchange)));
  const patch = methods.get("PATCH");
  const capabilities = { Allow: allow, ...(patch === undefined ? {} : acceptedTypes(patch.definition)) };
  handlers.set("OPTIONS", (request, exchange) => {
    return new Response(null, {
      status: 204,
      headers: { ...capabilities, ...options.cors.preflight(request, allow, exchange.anyOrigin) },
    });
  });
  return (request, exchange) => {
    const handler = handlers.get(request.method);
    if (handler !== undefined) return handler(request, exchange);
    const error = new StoreError("method_not_allowed", `This path supports ${allow}.`);
    return problem(error, exchange.requestId, { Allow: allow });
  };
}

function createHandler<Deps>(route: Route<Deps>, deps: Deps, options: ResourceOptions): Handler {
  const { acceptsLink, body, oneOf, operationId, path, query, right, takesAnyQuery } = route.definition;
  const needs = requiredNeeds(route.definition);
  const readQuery = takesAnyQuery === true ? () => undefined : createQueryReader(query);
  const parametersOf = readParameters(path);
  const accepted = acceptedTypes(route.definition);
  const ignoresTags = !evaluatesTags(route.definition);
  const { access } = options;
  return (request, exchange) => {
    exchange.operationId = operationId;
    exchange.accepted = accepted;
    const anyone = access.anyone();
    const since = access.changes();
    const link = acceptsLink ? access.authenticateLink(exchange.path, exchange.search) : undefined;

    return whenKnown(link === undefined && right !== "open" ? access.authenticate(request) : undefined, (identity) => {
      const caller = identity?.caller ?? (link === undefined ? anyone : LINKED);
      exchange.caller = caller;
      // Before the request is looked at any further. The operation asks again, for the album that it is about.
      for (const need of needs) authorize(caller, need);
      if (oneOf !== undefined) authorizeOne(caller, oneOf);
      if (ignoresTags) requireNoTag(request.headers);
      const params = parametersOf(exchange.segments);
      const parameters = readQuery(link?.query ?? exchange.search);
      return whenKnown(body && readJsonBody(request, body, options.maxJson), (value) => {
        const checked: RouteRequest = {
          raw: request,
          method: request.method as RouteRequest["method"],
          path: exchange.path,
          search: exchange.search,
          params,
          query: parameters,
          body: value,
          requestId: exchange.requestId,
          caller,
          identity: identity ?? { caller, expiresAt: null },
          identify: (known) => {
            exchange.caller = known;
          },
          anyone,
          callerNow: () => access.authenticateAgain(request, checked.identity, since),
          watchAccess: () => access.watch(request, checked.identity),
          link,
          get traceparent() {
            return readTraceparent(request.headers);
          },
          get signal() {
            return request.signal;
          },
          stopping: exchange.stopping,
        };
        return route.handle(checked, deps);
      });
    });
  };
}

/** The answer to HEAD, with the length that GET would send: the runtime alone would say 0. */
async function withoutBody(response: Response): Promise<Response> {
  const { headers, status } = response;
  await response.body?.cancel();
  // GET's stream has no length, and none is not 0.
  if (status === 200 && !headers.has("content-length")) headers.set("Transfer-Encoding", "chunked");
  return new Response(null, { status, headers });
}
