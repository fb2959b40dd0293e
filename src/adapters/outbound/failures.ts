import { OutboundError, type OutboundErrorCode } from "../../domain/outbound.ts";

/** Failures before there was a connection: nothing was sent. */
const NOT_CONNECTED = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "EAFNOSUPPORT",
  "ETIMEDOUT",
  "FailedToOpenSocket",
]);

/** What the runtime calls a failure, in the words of this API. The runtime's message would tell the address. */
export function toOutboundError(cause: unknown, hostname: string): OutboundError {
  if (cause instanceof OutboundError) return cause;
  const code = (cause as { readonly code?: string } | null)?.code ?? "";
  const of = (kind: OutboundErrorCode, message: string) => new OutboundError(kind, message, cause);
  if (NOT_CONNECTED.has(code)) return of("connection_failed", `${hostname} does not accept the connection (${code}).`);
  if (/CERT|SELF_SIGNED|VERIFY|ISSUER/.test(code))
    return of("certificate_refused", `The certificate of ${hostname} was refused (${code}).`);
  if (code === "EPROTO") return of("connection_failed", `${hostname} does not speak TLS on this port.`);
  return of("connection_lost", `${hostname} closed the connection without a response${code && ` (${code})`}.`);
}
