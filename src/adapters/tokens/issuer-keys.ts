import { pause } from "../../concurrency/clock.ts";
import { backoff } from "../../concurrency/retry.ts";
import type { JsonWebKeySet } from "../../domain/token.ts";
import { discover } from "./discovery.ts";
import { type FetchOptions, fetchJson } from "./fetch-json.ts";

export interface KeyObserver {
  /** The keys were fetched, or read from the configuration. */
  loaded(keys: number): void;
  /** They were not, and the earlier ones, if any, stay in use. */
  failed(error: unknown): void;
}

export interface IssuerKeysOptions {
  readonly issuer: string;
  /** Called with the first keys, and with others whenever they differ. */
  readonly onKeys: (keys: JsonWebKeySet) => void;
  readonly observer: KeyObserver;
  /** Milliseconds between two fetches: a key that the issuer withdraws is in use for so long. */
  readonly interval?: number;
  /** Milliseconds after a fetch for which no token can cause another. */
  readonly cooldown?: number;
  /** Milliseconds for each document. */
  readonly timeout?: number;
}

export interface IssuerKeys extends AsyncDisposable {
  /**
   * Fetches the keys, for a token whose key is not among them. Concurrent calls share one fetch; during the cooldown it does
   * nothing, unless `atOnce`. A failure is told to the observer.
   */
  refresh(options?: { readonly atOnce: boolean }): Promise<void>;
}

const INTERVAL = 5 * 60_000;
const COOLDOWN = 10_000;
const TIMEOUT = 5000;
const RETRY = { minBackoff: 1000, maxBackoff: 30_000 };

/** Keeps the keys of an issuer up to date, from OpenID Connect discovery, until it is disposed of. */
export function followIssuerKeys({
  issuer,
  onKeys,
  observer,
  interval = INTERVAL,
  cooldown = COOLDOWN,
  timeout = TIMEOUT,
}: IssuerKeysOptions): IssuerKeys {
  const stopping = new AbortController();
  const { signal } = stopping;
  let known: string | undefined;
  let fetchedAt = Number.NEGATIVE_INFINITY;
  let running: Promise<boolean> | undefined;

  async function fetchKeys(): Promise<boolean> {
    try {
      const set = await fetchIssuerKeys(issuer, { signal, timeout });
      const text = JSON.stringify(set);
      if (text !== known) onKeys(set);
      known = text;
      observer.loaded(set.keys.length);
      return true;
    } catch (error) {
      if (!signal.aborted) observer.failed(error);
      return false;
    } finally {
      fetchedAt = performance.now();
      running = undefined;
    }
  }
  const fetchOnce = (): Promise<boolean> => (running ??= fetchKeys());

  async function follow(): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      const succeeded = await fetchOnce();
      await pause(succeeded ? interval : Math.min(interval, backoff(RETRY, failures)), signal);
      failures = succeeded ? 0 : failures + 1;
    }
  }
  const following = follow();

  return {
    async refresh({ atOnce } = { atOnce: false }) {
      if (!atOnce && running === undefined && performance.now() - fetchedAt < cooldown) return;
      await fetchOnce();
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await following;
    },
  };
}

/** @throws Error when discovery or the keys cannot be fetched, or are not what the specifications say */
async function fetchIssuerKeys(issuer: string, options: FetchOptions): Promise<JsonWebKeySet> {
  const url = (await discover(issuer, options)).url("jwks_uri");
  const set = (await fetchJson(url.href, options)) as { keys?: unknown } | null;
  if (!Array.isArray(set?.keys)) throw new Error(`GET ${url.href}: the document is not a JWKS`);
  return { keys: set.keys.filter(isPublic) };
}

/** Keys of other kinds may stand beside those that sign. */
const isPublic = (key: unknown): key is JsonWebKeySet["keys"][number] => {
  if (typeof key !== "object" || key === null) return false;
  const { kty, d, priv } = key as Readonly<Record<string, unknown>>;
  return typeof kty === "string" && kty !== "oct" && d === undefined && priv === undefined;
};
