/** A secret that signed links are made with. Its id is in the links, so that it can be replaced while they live. */
export interface LinkKey {
  readonly id: string;
  readonly secret: string;
}

/** Goes into URLs as it is. */
export const LINK_KEY_ID = /^[A-Za-z0-9_-]{1,32}$/;
/** What 32 random bytes are in base64. */
export const MIN_LINK_SECRET = 43;

/** Seconds. */
export const MIN_LINK_LIFE = 60;
export const MAX_LINK_LIFE = 7 * 86_400;
export const DEFAULT_LINK_LIFE = 3600;

/**
 * When a link made now, for a life in seconds, expires: whole seconds since 1970, never sooner than asked and at most a
 * quarter of the life later, so a request within that quarter gets the same link, and a CDN can serve it.
 */
export function linkExpiry(now: number, life: number): number {
  const window = Math.ceil(life / 4);
  return Math.ceil((now / 1000 + life) / window) * window;
}

/** No link that was made by now expires later, in seconds since 1970. */
export const latestExpiry = (now: number): number =>
  Math.ceil(now / 1000 + MAX_LINK_LIFE + Math.ceil(MAX_LINK_LIFE / 4));
