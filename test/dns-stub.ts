import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { isIP } from "node:net";

/** A DNS server on loopback. Disposing of it closes it. */
export interface DnsStub extends AsyncDisposable {
  /** Asks it for the addresses of a name, of IPv4 and IPv6. */
  resolveName(name: string): Promise<readonly string[]>;
}

/** @param answer the addresses of a name; `asked` counts the look-ups of that name, from 1 */
export async function startDnsStub(answer: (name: string, asked: number) => readonly string[]): Promise<DnsStub> {
  const socket = createSocket("udp4");
  const asked = new Map<string, number>();
  socket.on("message", (query, { port, address }) => {
    const { name, type, end } = readQuestion(query);
    // Each look-up asks for both kinds; A is asked first.
    if (type === A) asked.set(name, (asked.get(name) ?? 0) + 1);
    const family = type === A ? 4 : 6;
    const found = answer(name, asked.get(name) ?? 1).filter((one) => isIP(one) === family);
    socket.send(writeAnswer(query.subarray(0, end), type, found), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const resolver = new Resolver();
  resolver.setServers([`127.0.0.1:${socket.address().port}`]);
  return {
    async resolveName(name) {
      const four = await resolver.resolve4(name).catch(() => []);
      return [...four, ...(await resolver.resolve6(name).catch(() => []))];
    },
    async [Symbol.asyncDispose]() {
      resolver.cancel();
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}

const A = 1;
const HEADER_BYTES = 12;

function readQuestion(query: Buffer) {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join("."), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function writeAnswer(question: Buffer, type: number, addresses: readonly string[]): Buffer {
  const head = Buffer.from(question);
  // A response without errors, with recursion.
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(addresses.length, 6);
  head.writeUInt16BE(0, 8);
  head.writeUInt16BE(0, 10);
  const records = addresses.map((address) => {
    const data = bytesOf(address);
    // The name of the question, the class IN, and a time to live of 0.
    return Buffer.concat([Buffer.from([0xc0, HEADER_BYTES, 0, type, 0, 1, 0, 0, 0, 0, 0, data.length]), data]);
  });
  return Buffer.concat([head, ...records]);
}

const groups = (text: string): string[] => (text === "" ? [] : text.split(":"));

function bytesOf(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail = ""] = address.split("::");
  const zeros = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array.from({ length: zeros }, () => "0"), ...groups(tail)];
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex");
}
