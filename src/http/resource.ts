import { StoreError } from "../domain/errors.ts";
import type { Access } from "./access.ts";
import type { Cors } from "./cors.ts";
import { type Exchange, readTraceparent } from "./exchange.ts";
import { readJsonBody } from "./json-body.ts";
import { readParameters } from "./parameters.ts";
import { problem } from "./problem.ts";
import { createQueryReader } from "./query.ts";
import type { Method, Route, RouteRequest } from "./route.ts";

export type Handler = (request: Request, exchange: Exchange) => Response | Promise<Response>;

export interface ResourceOptions {
  readonly access: Access;
  readonly cors: Cors;
  /** In bytes. */
  readonly maxJson: number;
}

/** The routes by path and method. */
export function groupByPath<Needs>(routes: readonly Route<Needs>[]): Map<string, Map<Method, Route<Needs>>> {
  const paths = new Map<string, Map<Method, Route<Needs>>>();
  for (const route of routes) {
    const { method, path } = route.definition;
    const methods = paths.get(path) ?? new Map<Method, Route<Needs>>();
    if (methods.has(method)) throw new Error(`There are two routes for ${method} ${path}.`);
    paths.set(path, methods.set(method, route));
  }
  return paths;
}

/** Answers every method of one path. */
export function createResource<Needs>(
  methods: ReadonlyMap<Method, Route<Needs>>,
  needs: Needs,
  options: ResourceOptions,
): Handler {
  const allow = [...methods.keys(), ...(methods.has("GET") ? ["HEAD"] : []), "OPTIONS"].sort().join(", ");
  const handlers = new Map<string, Handler>();
  for (const [method, route] of methods) handlers.set(method, createHandler(route, needs, options));
  const get = handlers.get("GET");
  if (get !== undefined) handlers.set("HEAD", async (request, exchange) => withoutBody(await get(request, exchange)));
  handlers.set("OPTIONS", (request) => {
    return new Response(null, { status: 204, headers: { Allow: allow, ...options.cors.preflight(request, allow) } });
  });
  return (request, exchange) => {
    const handler = handlers.get(request.method);
    if (handler !== undefined) return handler(request, exchange);
    const error = new StoreError("method_not_allowed", `This path takes ${allow}.`);
    return problem(error, exchange.requestId, { Allow: allow });
  };
}

function createHandler<Needs>(route: Route<Needs>, needs: Needs, options: ResourceOptions): Handler {
  const { acceptsLink, body, operationId, path, query, right } = route.definition;
  const readQuery = createQueryReader(query);
  const parametersOf = readParameters(path);
  return async (request, exchange) => {
    exchange.operationId = operationId;
    const linked = acceptsLink ? options.access.authorizeLink(exchange.path, exchange.search) : undefined;
    const grant = linked ?? options.access.authorize(request, right);
    exchange.grant = grant;
    const checked: RouteRequest = {
      raw: request,
      method: request.method as RouteRequest["method"],
      path: exchange.path,
      search: exchange.search,
      params: parametersOf(exchange.path),
      query: readQuery(grant.link?.query ?? exchange.search),
      body: body === undefined ? undefined : await readJsonBody(request, body, options.maxJson),
      requestId: exchange.requestId,
      grant,
      traceparent: readTraceparent(request.headers),
      get signal() {
        return request.signal;
      },
      stopping: exchange.stopping,
    };
    return route.handle(checked, needs);
  };
}

/** The answer to HEAD, with the length that GET would send: the runtime alone would say 0. */
async function withoutBody(response: Response): Promise<Response> {
  const { headers, status } = response;
  await response.body?.cancel();
  return new Response(null, { status, headers });
}
