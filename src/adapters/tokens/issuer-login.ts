import { createRemembered } from "../../concurrency/memo.ts";
import { StoreError } from "../../domain/errors.ts";
import type { FoundLogin, Login } from "../../ports/token-verifier.ts";
import { discover } from "./discovery.ts";

export interface IssuerLoginOptions {
  readonly issuer: string;
  readonly clientId: string;
  readonly scope: string;
  /** Query of the request for authorization, besides what the page adds; may be empty. */
  readonly query: string;
  readonly onFailure: (error: unknown) => void;
  /** Milliseconds for the document. */
  readonly timeout?: number;
}

const TIMEOUT = 5000;

/** Finds the endpoints of an issuer by OpenID Connect discovery, at most once a second. */
export function createIssuerLogin(options: IssuerLoginOptions): Login {
  const { issuer, clientId, scope, query, onFailure, timeout = TIMEOUT } = options;
  let known: FoundLogin | undefined;

  async function ask(): Promise<FoundLogin> {
    try {
      const found = await discover(issuer, { signal: new AbortController().signal, timeout });
      const authorization = found.url("authorization_endpoint");
      for (const [name, value] of new URLSearchParams(query)) authorization.searchParams.append(name, value);
      const tokenUrl = found.url("token_endpoint").href;
      known = { issuer, clientId, scope, authorizationUrl: authorization.href, tokenUrl };
      return known;
    } catch (cause) {
      onFailure(cause);
      if (known !== undefined) return known;
      throw new StoreError("unavailable", "The issuer of tokens does not respond.", { cause });
    }
  }
  return { find: createRemembered(ask) };
}
