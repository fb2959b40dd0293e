const HOST = /^(\[[\da-f:.]+\]|[\w.~-]+)(?::\d{1,5})?$/i;
const LOOPBACK: ReadonlySet<string> = new Set(["localhost", "[::1]"]);
/** All of 127.0.0.0/8 is this machine, and an address is no name that DNS could point elsewhere. */
const LOOPBACK_ADDRESS = /^127(?:\.\d{1,3}){3}$/;

/** The name or address in a Host header, in lower case; undefined for anything else. */
export const hostName = (host: string): string | undefined => HOST.exec(host)?.[1]?.toLowerCase();

export const isLoopback = (name: string | undefined): boolean =>
  name !== undefined && (LOOPBACK.has(name) || LOOPBACK_ADDRESS.test(name));
