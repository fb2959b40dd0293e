import { createHash, timingSafeEqual } from "node:crypto";
import type { ApiKey, Right } from "../domain/access.ts";
import { StoreError } from "../domain/errors.ts";
import type { LinkSigner, VerifiedLink } from "../operations/link-signer.ts";

export interface AccessOptions {
  readonly apiKeys: readonly ApiKey[];
  /** Routes with the right `read` need no key. */
  readonly publicRead: boolean;
  /** An origin under which clients reach the store, besides loopback. */
  readonly publicUrl: string | undefined;
  /** Origins whose pages may call the store. */
  readonly corsOrigins: readonly string[];
  readonly links: Pick<LinkSigner, "verify">;
}

/** What a request may do, and by what. */
export interface Grant {
  /** The name of the key; undefined where none was needed and none was given. */
  readonly principal: string | undefined;
  /** Whether this answer may be given to others: false for `public` caching. */
  readonly neededCredential: boolean;
  /**
   * Beyond the right of the route: everything on a store without keys, else what the key may, or anyone. By link:
   * `read` and `transform`, since its whole query was signed by somebody who may.
   */
  may(right: Right): boolean;
  /** The signed link that let it in, where one did. */
  readonly link: VerifiedLink | undefined;
}

export interface Access {
  /**
   * For every request, before anything else is looked at.
   * @throws StoreError `invalid_host`, `forbidden_origin`
   */
  admit(request: Request): void;
  /** @throws StoreError `unauthorized`, `forbidden` */
  authorize(request: Request, right: Right | "open"): Grant;
  /**
   * Where a link is accepted and the target, as sent, has any of a link's parameters, they alone decide, whatever key
   * comes with them; else undefined.
   * @throws StoreError `invalid_link`, `link_expired`
   */
  authorizeLink(path: string, search: string): Grant | undefined;
}

const HOST = /^(\[[\da-f:.]+\]|[\w.~-]+)(?::\d{1,5})?$/i;
const LOOPBACK = ["localhost", "[::1]"];
/** All of 127.0.0.0/8 is this machine, and an address is no name that DNS could point elsewhere. */
const LOOPBACK_ADDRESS = /^127(?:\.\d{1,3}){3}$/;
const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
/** A store without keys trusts whoever reaches it. */
const TRUSTED: Grant = { principal: undefined, neededCredential: false, may: () => true, link: undefined };
/** Nobody in particular, where anybody may read. */
const READER: Grant = { ...TRUSTED, may: (right) => right === "read" };
const LINKED: Grant = { ...TRUSTED, may: (right) => right === "read" || right === "transform" };
const NOBODY: Grant = { ...TRUSTED, may: () => false };

/**
 * Who may do what, in one place. A store without keys trusts whoever reaches it, so it must make sure that it is not a
 * page in a browser on the same machine: by the Host (against DNS rebinding) and the Origin (a form needs no preflight).
 * With keys there is nothing that a browser would send by itself.
 */
export function createAccess(options: AccessOptions): Access {
  const keys = options.apiKeys.map((key) => ({ ...key, digest: Buffer.from(key.sha256, "hex") }));
  const keyless = keys.length === 0;
  const publicUrl = options.publicUrl === undefined ? undefined : new URL(options.publicUrl);
  const hosts = new Set([...LOOPBACK, ...(publicUrl === undefined ? [] : [publicUrl.hostname])]);
  const origins = new Set([...options.corsOrigins, ...(publicUrl === undefined ? [] : [publicUrl.origin])]);

  function requireOwnPage(headers: Headers, host: string): void {
    const origin = headers.get("origin");
    if (origin !== null && origins.has(origin)) return;
    const foreign = origin !== null && origin !== `http://${host}` && origin !== `https://${host}`;
    if (foreign || headers.get("sec-fetch-site") === "cross-site") {
      throw new StoreError("forbidden_origin", "A page of another origin may not change this store.");
    }
  }

  function findKey(secret: string): ApiKey | undefined {
    const digest = createHash("sha256").update(secret).digest();
    // Every key is compared, so that the time taken says nothing.
    return keys.reduce<ApiKey | undefined>(
      (found, key) => (timingSafeEqual(key.digest, digest) ? key : found),
      undefined,
    );
  }

  return {
    admit(request) {
      // The runtime joins repeated Host headers with a comma, which no host has.
      const host = request.headers.get("host") ?? "";
      const name = HOST.exec(host)?.[1]?.toLowerCase();
      // Where Host makes no URL, such as with the port 99999, the runtime leaves the target as it came, in any bytes.
      if (name === undefined || !URL.canParse(`http://${host}`))
        throw new StoreError("invalid_host", "The request must have one valid Host header.");
      if (!keyless) return;
      if (!hosts.has(name) && !LOOPBACK_ADDRESS.test(name)) {
        throw new StoreError(
          "invalid_host",
          "Without API keys the store answers only to localhost and to the host of IMAGE_STORE_PUBLIC_URL.",
        );
      }
      if (!SAFE_METHODS.has(request.method)) requireOwnPage(request.headers, host);
    },

    authorize(request, right) {
      if (keyless) return TRUSTED;
      if (right === "open") return NOBODY;
      const authorization = request.headers.get("authorization");
      const open = options.publicRead && right === "read";
      if (authorization === null) {
        if (open) return READER;
        throw new StoreError("unauthorized", "An API key is needed: Authorization: Bearer <key>.");
      }
      const secret = /^bearer +(\S+)$/i.exec(authorization)?.[1];
      const key = secret === undefined ? undefined : findKey(secret);
      if (key === undefined) throw new StoreError("unauthorized", "The API key is not valid.");
      if (!open && !key.rights.has(right)) throw new StoreError("forbidden", `The API key lacks the right "${right}".`);
      const may = (other: Right) => key.rights.has(other) || (options.publicRead && other === "read");
      return { principal: key.name, neededCredential: !open, may, link: undefined };
    },

    authorizeLink(path, search) {
      const link = options.links.verify(path, search);
      return link === undefined ? undefined : { ...LINKED, link };
    },
  };
}
