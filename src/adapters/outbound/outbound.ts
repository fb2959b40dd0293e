import { isIP } from "node:net";
import { deadline } from "../../concurrency/timeout.ts";
import { OutboundError, type OutboundRules, type OutboundTarget, parseOutboundUrl } from "../../domain/outbound.ts";
import { toOutboundError } from "./failures.ts";
import { readBeginning } from "./read-beginning.ts";
import { createAddressResolver, type ResolveName } from "./resolve.ts";

/** Sends requests to URLs that clients name, and only to addresses that the operator's rules allow. */
export interface Outbound extends Disposable {
  /**
   * Checks the URL and the addresses that its name has now. A later request checks them again.
   * @throws OutboundError `invalid_url`, `name_not_found`, `address_not_allowed`, `timeout`
   */
  check(url: string): Promise<void>;
  /**
   * Sends one POST to an address that was checked. It follows no redirect.
   * @throws OutboundError; the signal's reason once it aborts
   */
  post(url: string, request: OutboundRequest): Promise<OutboundResponse>;
}

export interface OutboundRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Milliseconds until the response must have arrived. If its status has, it counts without the rest. */
  readonly timeout: number;
  readonly signal: AbortSignal;
}

export interface OutboundResponse {
  readonly status: number;
  readonly headers: Headers;
  /** The beginning of the body, at most 64 KiB, as far as it arrived in time. */
  readonly body: Uint8Array;
}

export interface OutboundOptions {
  readonly rules: OutboundRules;
  /** Default: the resolver of the system. */
  readonly resolveName?: ResolveName;
}

const CHECK_TIMEOUT = 10_000;
/** Seconds. Most servers close an idle connection after a minute or more, and a request on a closed one fails. */
const IDLE_TIMEOUT = 30;

/**
 * Connects to an address that was checked, so that a name that resolves to another one meanwhile has no effect. TLS verifies
 * the name all the same.
 */
export function createOutbound({ rules, resolveName }: OutboundOptions): Outbound {
  const resolver = createAddressResolver(rules.allowed, resolveName);
  const session = new Bun.FetchSession({ keepAlive: { idleTimeout: IDLE_TIMEOUT } });
  /** Of a host with several addresses: the one to which the last attempt failed. */
  const failedAt = new Map<string, string>();

  async function resolve(target: OutboundTarget, signal: AbortSignal): Promise<readonly string[]> {
    const addresses = await resolver.resolve(target, signal);
    const failed = failedAt.get(target.hostname);
    return failed === undefined || !addresses.includes(failed)
      ? addresses
      : [...addresses.filter((address) => address !== failed), failed];
  }

  /** Tries one address after another for as long as there is no connection. */
  async function postToAny(
    target: OutboundTarget,
    addresses: readonly string[],
    request: OutboundRequest,
    signal: AbortSignal,
  ): Promise<Response> {
    for (const [index, address] of addresses.entries()) {
      try {
        return await postTo(target, address, request, signal);
      } catch (cause) {
        if (failedAt.size >= MAX_FAILED) failedAt.clear();
        if (addresses.length > 1) failedAt.set(target.hostname, address);
        signal.throwIfAborted();
        const error = toOutboundError(cause, target.hostname);
        if (error.code !== "connection_failed" || index === addresses.length - 1) throw error;
      }
    }
    throw new OutboundError("name_not_found", `The host ${target.hostname} has no address.`);
  }

  function postTo(
    { protocol, hostname, port, host, path }: OutboundTarget,
    address: string,
    { headers, body }: OutboundRequest,
    signal: AbortSignal,
  ): Promise<Response> {
    const literal = isIP(address) === 6 ? `[${address}]` : address;
    return session.fetch(`${protocol}//${literal}:${port}${path}`, {
      method: "POST",
      headers: { ...headers, host, "accept-encoding": "identity" },
      body,
      redirect: "manual",
      // A proxy of the environment would connect to what it likes.
      proxy: false,
      decompress: false,
      signal,
      ...(protocol === "https:" && isIP(hostname) === 0 ? { tls: { serverName: hostname } } : {}),
    });
  }

  return {
    async check(url) {
      const target = parseOutboundUrl(url, rules);
      using limited = deadline(CHECK_TIMEOUT);
      try {
        await resolver.resolve(target, limited.signal);
      } catch (error) {
        throw limited.signal.aborted ? late(CHECK_TIMEOUT) : error;
      }
    },
    async post(url, request): Promise<OutboundResponse> {
      const target = parseOutboundUrl(url, rules);
      const { timeout, signal } = request;
      using limited = deadline(timeout, signal);
      try {
        const addresses = await resolve(target, limited.signal);
        const response = await postToAny(target, addresses, request, limited.signal);
        return { status: response.status, headers: response.headers, body: await readBeginning(response) };
      } catch (error) {
        signal.throwIfAborted();
        throw limited.signal.aborted ? late(timeout) : error;
      }
    },
    [Symbol.dispose]() {
      session.close();
    },
  };
}

const MAX_FAILED = 1024;

const late = (timeout: number) =>
  new OutboundError("timeout", `There was no response within ${timeout / 1000} seconds.`);
