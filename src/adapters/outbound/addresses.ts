import ipaddr from "ipaddr.js";
import type { Network } from "../../domain/access.ts";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/**
 * Whether the store may connect to an address on behalf of a client: it is global unicast, or in one of the operator's
 * networks. An address of IPv6 that leads to one of IPv4 is judged by that one.
 */
export function isAllowedAddress(text: string, networks: readonly Network[]): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = unwrap(ipaddr.parse(text));
  return networks.some((network) => contains(network, address)) || isGlobalUnicast(address);
}

/** The address to connect to: that of IPv4 for one that is mapped. */
export const connectableAddress = (text: string): string => ipaddr.process(text).toString();

/** Networks of IPv6 whose addresses contain one of IPv4, which begins after as many bytes: mapped, NAT64 and 6to4. */
const WRAPPING: readonly (readonly [network: readonly [ipaddr.IPv6, number], offset: number])[] = [
  [[ipaddr.IPv6.parse("::ffff:0:0"), 96], 12],
  [[ipaddr.IPv6.parse("64:ff9b::"), 96], 12],
  [[ipaddr.IPv6.parse("2002::"), 16], 2],
];

function unwrap(address: Address): Address {
  if (address.kind() === "ipv4") return address;
  const wrapping = WRAPPING.find(([network]) => (address as ipaddr.IPv6).match([...network]));
  if (wrapping === undefined) return address;
  const [, offset] = wrapping;
  return new ipaddr.IPv4(address.toByteArray().slice(offset, offset + 4));
}

/** The only one of IPv6 in which addresses of the internet are assigned, so what is reserved later is refused already. */
const ASSIGNED: readonly [ipaddr.IPv6, number] = [ipaddr.IPv6.parse("2000::"), 3];

function isGlobalUnicast(address: Address): boolean {
  if (address.range() !== "unicast") return false;
  return address.kind() === "ipv4" || (address as ipaddr.IPv6).match([...ASSIGNED]);
}

function contains({ address, prefix, family }: Network, candidate: Address): boolean {
  return candidate.kind() === family && (candidate as ipaddr.IPv4).match(ipaddr.parse(address), prefix);
}
