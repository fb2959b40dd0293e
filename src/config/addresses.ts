import { isIP } from "node:net";
import type { Network } from "../domain/access.ts";
import type { OutboundRules, PortRange } from "../domain/outbound.ts";
import { splitList } from "./values.ts";

/** An origin: scheme, host and port, such as `https://images.example.org`. */
export function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isOrigin = url !== undefined && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`;
  if (!isOrigin) throw new Error("must be an origin such as https://images.example.org, without a path");
  // Browsers send no such origin, so the setting would have no effect.
  if (url.hostname.includes("*")) throw new Error(`must be an origin without a wildcard, not "${text}"`);
  return url.origin;
}

/** Stands for every origin. */
const ANY_ORIGIN = "*";

/** Origins separated by commas, or `*` alone. */
export const parseOrigins = (text: string): readonly string[] =>
  text.trim() === ANY_ORIGIN ? [ANY_ORIGIN] : splitList(text).map(parseOrigin);

/** Host names separated by commas, as they stand in a Host header without the port. */
export const parseHosts = (text: string): readonly string[] => splitList(text).map(parseHost);

function parseHost(text: string): string {
  const name = text.toLowerCase();
  // The URL parser changes a text that has a port, a path, or an address in an unusual notation.
  const isHost = /^[\w.~-]+$/.test(name) && URL.canParse(`http://${name}`) && new URL(`http://${name}`).host === name;
  if (!isHost) throw new Error(`must be host names without scheme and port, such as images.example.org, not "${text}"`);
  if (isIP(name) !== 0)
    throw new Error(`must be host names, not the address "${text}": while this is set, all addresses are allowed`);
  return name;
}

/** IP addresses and networks separated by commas. */
export const parseNetworks = (text: string): readonly Network[] => splitList(text).map(parseTrustedNetwork);

function parseTrustedNetwork(text: string): Network {
  const network = parseNetwork(text);
  if (network.prefix === 0)
    throw new Error(`must not trust every address ("${text}"): any client could then forge its own`);
  return network;
}

/** Host names, addresses and networks separated by commas, to which requests of the store may go. */
export function parseOwnHosts(text: string): OutboundRules["allowed"] {
  const items = splitList(text);
  return {
    hosts: items.filter((item) => !isNetwork(item)).map(parseHost),
    networks: items.filter(isNetwork).map(parseNetwork),
  };
}

const isNetwork = (text: string): boolean => text.includes("/") || isIP(text) !== 0;

/** Ports and ranges of them, such as `80,8000-8999`. */
export const parsePorts = (text: string): readonly PortRange[] => {
  const ranges = splitList(text).map(parsePortRange);
  if (ranges.length === 0) throw new Error("must name at least one port");
  return ranges;
};

function parsePortRange(text: string): PortRange {
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  if (!(Number(first) >= 1 && Number(first) <= Number(last) && Number(last) <= 65_535))
    throw new Error(`must be ports or ranges of ports such as 443,8000-8999, not "${text}"`);
  return [Number(first), Number(last)];
}

function parseNetwork(text: string): Network {
  const [address = "", bits, ...rest] = text.split("/");
  const version = isIP(address);
  const longest = version === 4 ? 32 : 128;
  const prefix = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  if (version === 0 || address.includes("%") || rest.length > 0 || !(prefix <= longest))
    throw new Error(`must be addresses or networks such as 10.0.0.0/8 or ::1, not "${text}"`);
  return { address, prefix, family: version === 4 ? "ipv4" : "ipv6" };
}
