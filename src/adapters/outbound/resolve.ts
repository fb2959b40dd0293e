import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { createRemembered } from "../../concurrency/memo.ts";
import { unlessAborted } from "../../concurrency/timeout.ts";
import { OutboundError, type OutboundRules, type OutboundTarget } from "../../domain/outbound.ts";
import { connectableAddress, isAllowedAddress } from "./addresses.ts";

/** The addresses of a name, in the order in which to try them. */
export type ResolveName = (name: string) => Promise<readonly string[]>;

const resolveBySystem: ResolveName = async (name) => (await lookup(name, { all: true })).map(({ address }) => address);

/** Names of which a look-up is shared by the attempts of one second. */
const MAX_NAMES = 4096;
const MAX_ADDRESSES = 4;

export interface AddressResolver {
  /**
   * Returns the addresses of a host, each of which was checked. One that must not be connected to refuses the host.
   * @throws OutboundError `name_not_found`, `address_not_allowed`; the signal's reason
   */
  resolve(target: Pick<OutboundTarget, "hostname">, signal: AbortSignal): Promise<readonly string[]>;
}

export function createAddressResolver(
  { hosts, networks }: OutboundRules["allowed"],
  resolveName: ResolveName = resolveBySystem,
): AddressResolver {
  const lookups = new Map<string, () => Promise<readonly string[]>>();

  function lookUp(hostname: string): Promise<readonly string[]> {
    if (lookups.size >= MAX_NAMES) lookups.clear();
    const known = lookups.get(hostname) ?? createRemembered(() => resolveName(hostname), { keepsFailures: false });
    lookups.set(hostname, known);
    return known();
  }

  async function addressesOf(hostname: string, signal: AbortSignal): Promise<readonly string[]> {
    if (isIP(hostname) !== 0) return [hostname];
    try {
      return await unlessAborted(lookUp(hostname), signal);
    } catch (cause) {
      signal.throwIfAborted();
      throw new OutboundError("name_not_found", `The host ${hostname} could not be resolved.`, cause);
    }
  }

  return {
    async resolve({ hostname }, signal) {
      const isOwn = hosts.includes(hostname);
      // Whatever a resolver says of it, it means this machine.
      if (!isOwn && /(^|\.)localhost$/.test(hostname)) throw notAllowed(hostname);
      const addresses = await addressesOf(hostname, signal);
      if (addresses.length === 0) throw new OutboundError("name_not_found", `The host ${hostname} has no address.`);
      if (!isOwn && !addresses.every((address) => isAllowedAddress(address, networks))) throw notAllowed(hostname);
      return [...new Set(addresses.map(connectableAddress))].slice(0, MAX_ADDRESSES);
    },
  };
}

/** It does not say which address: that would tell the client what names mean inside the operator's network. */
const notAllowed = (hostname: string) =>
  new OutboundError(
    "address_not_allowed",
    `The host ${hostname} has an address that is not on the public internet. The setting IMAGE_STORE_OUTBOUND_ALLOW allows hosts and networks.`,
  );
