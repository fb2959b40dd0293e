import { StoreError } from "../domain/errors.ts";
import { hostName, isLoopback } from "./hosts.ts";

/** The cookie that stands for a session, where a page of the store's own origin sent it. */
export interface SessionCookie {
  /**
   * The secret of the session; undefined without a cookie, or where it must not count: for a request from another origin, which
   * is then as if it had none. Not undefined, and no secret, where there are two.
   */
  read(request: Request): string | undefined;
  /**
   * Returns what makes the `Set-Cookie` that signs this client in.
   * @throws StoreError `forbidden_origin`, `https_required`
   */
  signIn(request: Request): (secret: string, seconds: number) => string;
  /** The headers that remove the cookie which {@link read} found, and what the browser kept of answers to it; else none. */
  signOut(request: Request): Readonly<Record<string, string>>;
}

/** Over HTTPS: the prefix keeps other hosts and plain HTTP from setting it. */
const SECURE_NAME = "__Host-image-store-session";
/** On loopback hosts without TLS. Their ports share cookies, so it has the port in its name. */
const plainName = (host: string) => `image-store-session-${/:(\d+)$/.exec(host)?.[1] ?? "80"}`;
const COMMON_PART = "image-store-session";

const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD"]);

interface FoundCookie {
  readonly name: string;
  readonly value: string;
}

export function createSessionCookie(options: { readonly publicUrl: string | undefined }): SessionCookie {
  const publicUrl = options.publicUrl === undefined ? undefined : new URL(options.publicUrl);

  /** Whether pages of the origin are the store's own. Over TLS, those that came without it are not. */
  function isOwn(origin: string, host: string, isSecure: boolean): boolean {
    if (origin.startsWith("https:") !== isSecure) return false;
    return origin === publicUrl?.origin || origin === `${isSecure ? "https" : "http"}://${host}`;
  }

  function find(request: Request): FoundCookie | undefined {
    const cookies = request.headers.get("cookie");
    if (cookies === null || !cookies.includes(COMMON_PART)) return undefined;
    const host = hostOf(request);
    const names = isLoopback(hostName(host)) ? [SECURE_NAME, plainName(host)] : [SECURE_NAME];
    const name = names.find((each) => valuesOf(cookies, each).length > 0);
    if (name === undefined || !isFromOwnPage(request, host, name === SECURE_NAME)) return undefined;
    const [value = "", ...others] = valuesOf(cookies, name);
    return { name, value: others.length === 0 ? value : "" };
  }

  function isFromOwnPage({ headers, method }: Request, host: string, isSecure: boolean): boolean {
    const origin = headers.get("origin");
    if (origin !== null && !isOwn(origin, host, isSecure)) return false;
    const isSafe = SAFE_METHODS.has(method);
    switch (headers.get("sec-fetch-site")) {
      case "same-origin":
        return isSafe || origin !== null;
      // The user typed the address, or followed a bookmark. No page can have a browser say that.
      case "none":
        return isSafe && headers.get("sec-fetch-mode") === "navigate";
      // A browser that does not say it: then only an Origin tells where the request comes from.
      case null:
        return origin !== null;
      default:
        return false;
    }
  }

  /** Whether the client reaches the store by TLS, as its page or the configuration says. */
  function isSecureFor(request: Request): boolean {
    const host = hostOf(request);
    const origin = request.headers.get("origin");
    const site = request.headers.get("sec-fetch-site");
    const isOwnPage = origin === null || isOwn(origin, host, true) || isOwn(origin, host, false);
    if (!isOwnPage || (site !== null && site !== "same-origin"))
      throw new StoreError("forbidden_origin", "Only a page of the store's own origin can sign in to a session.");
    const url = origin === null ? (publicUrl?.host === host ? publicUrl : new URL(`http://${host}`)) : new URL(origin);
    if (url.protocol === "https:") return true;
    if (isLoopback(url.hostname)) return false;
    throw new StoreError("https_required", "A session needs HTTPS: over HTTP anyone on the way could take it over.");
  }

  return {
    read: (request) => find(request)?.value,
    signIn(request) {
      const name = isSecureFor(request) ? SECURE_NAME : plainName(hostOf(request));
      return (secret, seconds) => format(name, secret, seconds);
    },
    signOut(request) {
      const found = find(request);
      // Chromium's cache does not look at `Vary: Cookie`.
      return found === undefined ? {} : { "Set-Cookie": format(found.name, "", 0), "Clear-Site-Data": '"cache"' };
    },
  };
}

const hostOf = ({ headers }: Request): string => (headers.get("host") ?? "").toLowerCase();

const valuesOf = (cookies: string, name: string): string[] =>
  cookies
    .split(/; */)
    .filter((cookie) => cookie.startsWith(`${name}=`))
    .map((cookie) => cookie.slice(name.length + 1));

const format = (name: string, value: string, seconds: number): string =>
  `${name}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${name === SECURE_NAME ? "; Secure" : ""}`;
