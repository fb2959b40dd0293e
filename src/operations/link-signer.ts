import { createHmac, timingSafeEqual } from "node:crypto";
import { StoreError } from "../domain/errors.ts";
import { type LinkKey, latestExpiry, linkExpiry } from "../domain/link.ts";

export interface LinkSigner {
  /** A signed target: it authorizes any client for `path` with exactly this query. Life in seconds. */
  sign(path: string, query: string, life: number): SignedTarget;
  /**
   * What was signed, by the target of a request as it was sent; undefined where it does not pretend to be a link.
   * @throws StoreError `invalid_link`, `link_expired`
   */
  verify(path: string, search: string): VerifiedLink | undefined;
  /** As if it had been created with them. */
  replaceKeys(keys: readonly LinkKey[]): void;
}

export interface SignedTarget {
  readonly target: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface VerifiedLink {
  /** The query without what makes it a link. */
  readonly query: string;
  /** Whole seconds until it expires. */
  readonly maxAge: number;
}

/** Signed with the rest, so that no signature made otherwise, or for something else, can ever fit. */
const VERSION = "image-store-link-1";
/** Of the clocks of two nodes, in seconds. */
const MAX_SKEW = 900;
const PRETENDS = /(?:^|&)(?:expires|key|signature)=/;
const SIGNED = /^(?:(.+)&)?expires=(\d{1,12})&key=([\w-]+)&signature=([\w-]+)$/;

/**
 * The first key signs, all verify. What is signed is the target as text up to its signature, which comes last: there is
 * one spelling of a link, and nothing of it can be changed, moved, added or left out. The signatures are compared as
 * text, since base64url's last character has bits that say nothing.
 */
export function createLinkSigner(initialKeys: readonly LinkKey[], now: () => number = Date.now): LinkSigner {
  let keys = initialKeys;
  return {
    sign(path, query, life) {
      const [key] = keys;
      if (key === undefined) throw new Error("There is no key to sign links with.");
      const expires = linkExpiry(now(), life);
      const text = `${path}?${query === "" ? "" : `${query}&`}expires=${expires}&key=${key.id}`;
      return { target: `${text}&signature=${signature(key, text)}`, expiresAt: expires * 1000 };
    },

    verify(path, search) {
      if (search === "" || !PRETENDS.test(search)) return undefined;
      const [, query = "", expires, id, given = ""] = SIGNED.exec(search) ?? [];
      const key = keys.find((candidate) => candidate.id === id);
      const text = `${path}?${search.slice(0, search.lastIndexOf("&"))}`;
      if (key === undefined || !isEqual(given, signature(key, text)))
        throw new StoreError("invalid_link", "The link was altered, or what it was signed with is no longer in use.");
      const left = Number(expires) * 1000 - now();
      // The key can sign links of any age elsewhere; this store never does.
      if (Number(expires) > latestExpiry(now()) + MAX_SKEW)
        throw new StoreError("invalid_link", "The link was made for longer than this store makes links.");
      if (left <= 0) throw new StoreError("link_expired", "The link has expired.");
      return { query, maxAge: Math.floor(left / 1000) };
    },

    replaceKeys(replacements) {
      keys = replacements;
    },
  };
}

const signature = ({ secret }: LinkKey, text: string): string =>
  createHmac("sha256", secret).update(`${VERSION}\n${text}`).digest("base64url");

function isEqual(given: string, right: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(right)];
  return one.length === other.length && timingSafeEqual(one, other);
}
