import type { JWK } from "jose";

/** What the issuer serves. Each can be set while it runs. */
export interface TestIssuer extends Disposable {
  readonly url: string;
  keys: readonly JWK[];
  /** Instead of the documents. */
  respond: ((path: string) => Response | Promise<Response>) | undefined;
  /** Requests for the keys so far. */
  readonly fetches: number;
}

/** An issuer on loopback, with discovery and a JWKS. */
export function startIssuer(keys: readonly JWK[], port = 0): TestIssuer {
  let fetches = 0;
  const issuer = { keys, respond: undefined as TestIssuer["respond"] };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    async fetch(request): Promise<Response> {
      const { pathname } = new URL(request.url);
      if (pathname === "/jwks") fetches += 1;
      if (issuer.respond !== undefined) return issuer.respond(pathname);
      if (pathname === "/jwks") return Response.json({ keys: issuer.keys });
      if (pathname === "/.well-known/openid-configuration")
        return Response.json({ issuer: server.url.origin, jwks_uri: `${server.url.origin}/jwks` });
      return new Response(null, { status: 404 });
    },
  });
  return Object.defineProperties(issuer, {
    url: { value: server.url.origin },
    fetches: { get: () => fetches },
    [Symbol.dispose]: { value: () => void server.stop(true) },
  }) as unknown as TestIssuer;
}
