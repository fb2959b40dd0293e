import { isIP } from "node:net";
import { createMemo } from "../concurrency/memo.ts";
import { StoreError } from "../domain/errors.ts";
import { hostName, isLoopback } from "./hosts.ts";

export interface AdmissionOptions {
  /** Names that the Host header may have, besides those of loopback and of `publicUrl`. If it is empty, a store with keys serves every name. */
  readonly allowedHosts?: readonly string[];
  /** An origin under which clients reach the store, besides loopback. */
  readonly publicUrl: string | undefined;
  /** Origins whose pages may call the store. */
  readonly corsOrigins: readonly string[];
}

const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
/**
 * Refuses requests by their Host and Origin, before anything else. A store without keys trusts every client that reaches it, so
 * the client must not be a foreign page in a browser on the same machine: the Host reveals DNS rebinding, and the Origin a
 * form, which needs no preflight. With keys, a browser sends by itself only the cookie of a session, which counts for pages of
 * the store only (session-cookie.ts).
 * @returns a function that throws StoreError `invalid_host` or `forbidden_origin`; the latter never for a request that any page
 *   may make
 */
export function createAdmission(
  options: AdmissionOptions,
  isKeyless: () => boolean,
): (request: Request, fromAnyPage: boolean) => void {
  const publicUrl = options.publicUrl === undefined ? undefined : new URL(options.publicUrl);
  const { allowedHosts = [] } = options;
  const hosts = new Set([...allowedHosts, ...(publicUrl === undefined ? [] : [publicUrl.hostname])]);
  const origins = new Set([...options.corsOrigins, ...(publicUrl === undefined ? [] : [publicUrl.origin])]);

  const names = createMemo<string>(MOST_RECENT);

  const addresses = allowedHosts.length === 0 ? "loopback addresses" : "IP addresses";
  const served = `localhost, ${addresses}, and the hosts of IMAGE_STORE_PUBLIC_URL and IMAGE_STORE_ALLOWED_HOSTS`;

  /** A name that DNS points to this machine would make a page of that name same-origin with the store. */
  function isAnswered(name: string): boolean {
    if (hosts.has(name) || isLoopback(name)) return true;
    if (allowedHosts.length === 0) return !isKeyless();
    return isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0;
  }

  function requireOwnPage(headers: Headers, host: string): void {
    const origin = headers.get("origin");
    if (origin !== null && origins.has(origin)) return;
    const foreign = origin !== null && origin !== `http://${host}` && origin !== `https://${host}`;
    if (foreign || headers.get("sec-fetch-site") === "cross-site") {
      throw new StoreError("forbidden_origin", "A page of another origin may not change this store.");
    }
  }

  return (request, fromAnyPage) => {
    // The runtime joins repeated Host headers with a comma, which no host has.
    const host = request.headers.get("host") ?? "";
    const name = names.get(host, () => validName(host));
    if (!isAnswered(name)) {
      throw new StoreError("invalid_host", `The store does not serve the host "${name}". It serves ${served}.`);
    }
    if (isKeyless() && !fromAnyPage && !SAFE_METHODS.has(request.method)) requireOwnPage(request.headers, host);
  };
}

const MOST_RECENT = 256;

/** @throws StoreError `invalid_host` */
function validName(host: string): string {
  const name = hostName(host);
  // Where Host makes no URL, such as with the port 99999, the runtime leaves the target as it came, in any bytes.
  if (name !== undefined && URL.canParse(`http://${host}`)) return name;
  throw new StoreError("invalid_host", "The request must have one valid Host header.");
}
