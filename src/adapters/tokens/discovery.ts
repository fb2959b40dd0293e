import { isTrustedUrl } from "../../domain/token.ts";
import { type FetchOptions, fetchJson } from "./fetch-json.ts";

/** What an issuer says about itself (OpenID Connect Discovery 1.0). */
export interface Discovery {
  /**
   * The URL that is in a member of the document.
   * @throws Error unless it is one that can be trusted
   */
  url(member: "jwks_uri" | "authorization_endpoint" | "token_endpoint"): URL;
}

/** @throws Error when the document cannot be fetched, or is that of another issuer */
export async function discover(issuer: string, options: FetchOptions): Promise<Discovery> {
  const path = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const document = (await fetchJson(path, options)) as Readonly<Record<string, unknown>> | null;
  // OpenID Connect Discovery 4.3: otherwise one issuer could pass off its keys as another's.
  if (document?.["issuer"] !== issuer) throw new Error(`GET ${path}: the document is of another issuer`);
  // An issuer elsewhere must not make this machine, or a browser, ask services of their own.
  const mayBePlain = issuer.startsWith("http:");
  return {
    url(member) {
      const text = document[member];
      const url = typeof text === "string" ? URL.parse(text) : null;
      if (url === null || !isTrustedUrl(url) || (url.protocol !== "https:" && !mayBePlain))
        throw new Error(`GET ${path}: ${member} must be an https URL`);
      return url;
    },
  };
}
