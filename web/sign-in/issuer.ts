import type { components } from "../../client/src/index.ts";
import { PlainError } from "../shared/plain-error.ts";
import { urlOf } from "../shared/router.ts";
import { texts } from "../texts.ts";

export type Login = components["schemas"]["Login"];

/** What must come back as it went out. It is in the memory of this tab alone, until the person returns. */
interface Begun {
  readonly login: Login;
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  /** The view that the person came from. */
  readonly view: string;
}

const KEY = "image-store.login";
const redirectUri = (): string => new URL(urlOf.signIn(), location.origin).href;

/** Sends the person to the issuer: authorization code with PKCE (RFC 7636). */
export async function beginLogin(login: Login, view: string): Promise<void> {
  if (!isSecureContext) throw new PlainError(...texts.issuer.insecure);
  const begun: Begun = { login, state: randomText(), nonce: randomText(), verifier: randomText(), view };
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(begun.verifier));
  sessionStorage.setItem(KEY, JSON.stringify(begun));
  const url = new URL(login.authorizationUrl);
  const parameters = {
    response_type: "code",
    client_id: login.clientId,
    redirect_uri: redirectUri(),
    scope: login.scope,
    state: begun.state,
    nonce: begun.nonce,
    code_challenge: toBase64Url(new Uint8Array(digest)),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  location.assign(url);
}

/** Whether the person comes back from an issuer, with a code or with a refusal. */
export const isReturn = (search: string): boolean => {
  const query = new URLSearchParams(search);
  return query.has("state") && (query.has("code") || query.has("error"));
};

export interface Returned {
  readonly accessToken: string;
  readonly view: string;
}

/** Exchanges the code for a token. A code works once, and so does what {@link beginLogin} kept. */
export async function finishLogin(search: string): Promise<Returned> {
  const query = new URLSearchParams(search);
  const kept = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  const begun = kept === null ? undefined : (JSON.parse(kept) as Begun);
  if (begun === undefined || query.get("state") !== begun.state) throw new PlainError(...texts.issuer.stranger);
  const { login, verifier, view } = begun;
  const issuer = query.get("iss");
  if (issuer !== null && issuer !== login.issuer) throw new PlainError(...texts.issuer.stranger);
  const error = query.get("error");
  if (error !== null) throw refusal(error, query.get("error_description"));
  const tokens = await exchange(login, query.get("code") ?? "", verifier);
  requireOwn(tokens.id_token, begun);
  return { accessToken: tokens.access_token, view };
}

interface Tokens {
  readonly access_token: string;
  readonly id_token?: string;
}

async function exchange({ tokenUrl, clientId }: Login, code: string, verifier: string): Promise<Tokens> {
  const form = {
    grant_type: "authorization_code",
    code,
    redirect_uri: redirectUri(),
    client_id: clientId,
    code_verifier: verifier,
  };
  const response = await fetch(tokenUrl, {
    method: "POST",
    body: new URLSearchParams(form),
    credentials: "omit",
    redirect: "error",
  }).catch((cause: unknown) => {
    throw new PlainError(...texts.issuer.away, String(cause));
  });
  const answer = (await response.json().catch(() => ({}))) as Partial<Tokens> & Readonly<Record<string, unknown>>;
  if (!response.ok || typeof answer.access_token !== "string")
    throw refusal(textOf(answer["error"]) ?? `HTTP ${response.status}`, textOf(answer["error_description"]));
  return answer as Tokens;
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

function refusal(error: string, description: string | null | undefined): PlainError {
  if (error === "access_denied") return new PlainError(...texts.issuer.denied);
  const detail = description ? `${error}: ${description}` : error;
  return new PlainError(...texts.issuer.refused, detail);
}

/**
 * The ID token must be for this client and for this attempt. It comes from the issuer itself, over TLS, so its signature need not
 * be checked (OpenID Connect Core 3.1.3.7, 6); the store checks that of the access token.
 */
function requireOwn(idToken: string | undefined, { login, nonce }: Begun): void {
  const claims = claimsOf(idToken);
  const { aud } = claims;
  const isOurs = aud === login.clientId || (Array.isArray(aud) && aud.includes(login.clientId));
  if (claims["iss"] !== login.issuer || !isOurs || claims["nonce"] !== nonce)
    throw new PlainError(...texts.issuer.stranger);
}

function claimsOf(token: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const payload = (token?.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

const randomText = (): string => toBase64Url(crypto.getRandomValues(new Uint8Array(32)));

const toBase64Url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
