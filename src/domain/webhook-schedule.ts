/** When a webhook's deliveries are tried again. Times in milliseconds. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Delays before the retries. The last one goes for all further retries. */
const RETRY_DELAYS = [0, 5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR] as const;
const LONGEST_DELAY = 10 * HOUR;
/** Share of a delay that is added at random, so that the webhooks of one receiver do not retry in step. */
const JITTER = 0.1;

/**
 * The delay before the next attempt.
 * @param failures since the last success, from 1
 * @param random from 0 to 1
 */
export function retryDelay(failures: number, random: number): number {
  const delay = RETRY_DELAYS[failures - 1] ?? LONGEST_DELAY;
  return Math.round(delay * (1 + JITTER * random));
}

/** The delay that a receiver asks for, at least a second and at most the longest of the schedule. */
export const honouredDelay = (retryAfter: number): number => Math.min(Math.max(retryAfter, SECOND), LONGEST_DELAY);

/**
 * Whether an attempt is due. One that is further away than any delay was planned by a clock that has been set back since.
 * @param at in milliseconds since 1970, as `now`
 */
export const isDue = (at: number, now: number): boolean => at <= now || at - now > LONGEST_DELAY * (1 + JITTER);

/** A webhook is disabled after this time of nothing but failures. */
export const DISABLED_AFTER = 5 * 24 * HOUR;

/**
 * Reads the header Retry-After: seconds, or a date of HTTP. Null for anything else.
 * @param now in milliseconds since 1970
 */
export function parseRetryAfter(text: string | null, now: number): number | null {
  const value = text?.trim() ?? "";
  if (/^\d{1,9}$/.test(value)) return Number(value) * SECOND;
  const at = value.endsWith("GMT") ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}
