import { BlockList, isIP } from "node:net";
import type { Network } from "../domain/access.ts";

/** `port` behind an address in X-Forwarded-For, as some proxies write it. */
const WITH_PORT = /^(?:\[([\da-f:.]+)\]|(\d+(?:\.\d+){3}))(?::\d{1,5})?$/i;

/**
 * Who sent a request: the address at the other end of the connection, or, where that is a trusted proxy, the last address
 * in X-Forwarded-For that no trusted proxy has. What stands before it the client may have written itself.
 */
export function createClientAddress(trusted: readonly Network[]): (peer: string, headers: Headers) => string {
  const proxies = new BlockList();
  for (const { address, prefix, family } of trusted) proxies.addSubnet(address, prefix, family);
  const isTrusted = (address: string) => proxies.check(address, isIP(address) === 4 ? "ipv4" : "ipv6");

  return (peer, headers) => {
    let client = unmapped(peer);
    if (trusted.length === 0 || !isTrusted(client)) return client;
    const hops = (headers.get("x-forwarded-for") ?? "").split(",");
    for (const hop of hops.toReversed()) {
      const address = parseHop(hop.trim());
      if (address === undefined) break;
      client = address;
      if (!isTrusted(client)) break;
    }
    return client;
  };
}

function parseHop(text: string): string | undefined {
  const [, v6, v4] = WITH_PORT.exec(text) ?? [];
  const address = unmapped(v6 ?? v4 ?? text);
  return isIP(address) === 0 || address.includes("%") ? undefined : address;
}

/** A socket for both families gives IPv4 as ::ffff:10.0.0.1. */
const unmapped = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, "");
