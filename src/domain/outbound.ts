import type { Network } from "./access.ts";

/** Requests that the store sends to URLs that clients name. */

/** Where such requests may go. */
export interface OutboundRules {
  /** Whether http is allowed besides https. */
  readonly http: boolean;
  /** Ranges of ports, inclusive. */
  readonly ports: readonly PortRange[];
  /** Host names and networks of the operator's own, whose addresses may be private. */
  readonly allowed: { readonly hosts: readonly string[]; readonly networks: readonly Network[] };
}

export type PortRange = readonly [first: number, last: number];

/** Part of the API: deliveries tell it. */
export type OutboundErrorCode =
  | "invalid_url"
  | "name_not_found"
  | "address_not_allowed"
  | "connection_failed"
  | "certificate_refused"
  | "connection_lost"
  | "timeout";

/** A request that got no response. The message may be shown to the client that named the URL. */
export class OutboundError extends Error {
  readonly code: OutboundErrorCode;

  constructor(code: OutboundErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "OutboundError";
    this.code = code;
  }
}

/** A URL whose scheme, port and form the rules allow. Its addresses are still to be checked. */
export interface OutboundTarget {
  readonly protocol: "http:" | "https:";
  /** Lower case, without the dot at its end and without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** As the header Host has it. */
  readonly host: string;
  /** Path and query. */
  readonly path: string;
}

export const MAX_OUTBOUND_URL_LENGTH = 2048;

/** @throws OutboundError `invalid_url` */
export function parseOutboundUrl(text: string, { http, ports }: Pick<OutboundRules, "http" | "ports">): OutboundTarget {
  if (text.length > MAX_OUTBOUND_URL_LENGTH)
    throw invalidUrl(`The URL has ${text.length} characters; at most ${MAX_OUTBOUND_URL_LENGTH} are allowed.`);
  // The parser removes line breaks and surrounding spaces, and turns backslashes into slashes.
  if (/[\s\\\p{Cc}]/u.test(text)) throw invalidUrl("The URL must not have spaces, control characters or backslashes.");
  const url = URL.parse(text);
  if (url === null || !/^https?:\/\//i.test(text))
    throw invalidUrl("The URL must be complete, such as https://hooks.example.org/images.");
  const { protocol } = url;
  if (protocol !== "https:" && !(http && protocol === "http:")) throw invalidUrl("The URL must begin with https://.");
  if (url.username !== "" || url.password !== "") throw invalidUrl("The URL must not have a user or a password.");
  if (url.hash !== "") throw invalidUrl("The URL must not have a fragment.");
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  if (hostname === "" || hostname.length > 253) throw invalidUrl("The URL must have the name of a host.");
  const port = url.port === "" ? DEFAULT_PORTS[protocol] : Number(url.port);
  if (!ports.some(([first, last]) => port >= first && port <= last))
    throw invalidUrl(`The URL must not have the port ${port}. Allowed are ${ports.map(formatRange).join(", ")}.`);
  return {
    protocol,
    hostname,
    port,
    host: url.host,
    path: url.pathname + url.search,
  };
}

const DEFAULT_PORTS = { "https:": 443, "http:": 80 } as const;

const formatRange = ([first, last]: PortRange): string => (first === last ? String(first) : `${first}-${last}`);

const invalidUrl = (message: string) => new OutboundError("invalid_url", message);
