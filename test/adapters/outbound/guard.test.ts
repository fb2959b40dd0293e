import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isAllowedAddress } from "../../../src/adapters/outbound/addresses.ts";
import { createOutbound } from "../../../src/adapters/outbound/outbound.ts";
import type { ResolveName } from "../../../src/adapters/outbound/resolve.ts";
import { parseOwnHosts } from "../../../src/config/addresses.ts";
import { OutboundError, type OutboundRules } from "../../../src/domain/outbound.ts";
import { startDnsStub } from "../../dns-stub.ts";
import { rejectionOf } from "../../waiting.ts";
import { startListener } from "./listener.ts";
import { PRIVATE_HOSTS } from "./private-hosts.ts";

const rules = (allow = "", others: Partial<OutboundRules> = {}): OutboundRules => ({
  http: true,
  ports: [[1, 65_535]],
  allowed: parseOwnHosts(allow),
  ...others,
});

const toLoopback: ResolveName = async () => ["127.0.0.1"];
const toPublic: ResolveName = async () => ["1.1.1.1"];

const request = { headers: {}, body: "{}", timeout: 60_000, signal: new AbortController().signal };

/** The code of what a request to the URL ends with, and the status where it has one. */
async function outcomeOf(url: string, options: { rules: OutboundRules; resolveName?: ResolveName }) {
  using outbound = createOutbound(options);
  try {
    return (await outbound.post(url, request)).status;
  } catch (error) {
    if (error instanceof OutboundError) return error.code;
    throw error;
  }
}

async function codeOfCheck(url: string, options: { rules: OutboundRules; resolveName?: ResolveName }) {
  using outbound = createOutbound(options);
  return ((await rejectionOf(outbound.check(url))) as OutboundError).code;
}

describe("an address that is not on the public internet", () => {
  test("gets no connection, in any of its forms", async () => {
    using listener = startListener();
    for (const host of PRIVATE_HOSTS) {
      const url = `http://${host}:${listener.port}/`;
      expect({ host, code: await outcomeOf(url, { rules: rules() }) }).toEqual({ host, code: "address_not_allowed" });
      expect({ host, code: await codeOfCheck(url, { rules: rules() }) }).toEqual({ host, code: "address_not_allowed" });
    }
    expect(PRIVATE_HOSTS.length).toBeGreaterThan(40);
    expect(listener.connections).toBe(0);
    // The listener counts.
    expect(await outcomeOf(`http://127.1:${listener.port}/`, { rules: rules("127.0.0.0/8") })).toBe(204);
    expect(listener.connections).toBe(1);
  });

  test("gets no connection by a name that has it, alone or beside a public one", async () => {
    using listener = startListener();
    const names: Readonly<Record<string, readonly string[]>> = {
      "loopback.test": ["127.0.0.1"],
      "six.test": ["::1"],
      "mapped.test": ["::ffff:7f00:1"],
      "nat64.test": ["64:ff9b::7f00:1"],
      "6to4.test": ["2002:7f00:1::1"],
      "metadata.test": ["169.254.169.254"],
      "mixed.test": ["1.1.1.1", "127.0.0.1"],
      "mixed-six.test": ["1.1.1.1", "fd00::1"],
      "last.test": ["1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9", "10.0.0.1"],
      "zone.test": ["fe80::1%lo"],
      "text.test": ["not an address"],
    };
    await using dns = await startDnsStub((name) => names[name] ?? []);
    const resolveName: ResolveName = async (name) =>
      name === "zone.test" || name === "text.test" ? (names[name] ?? []) : dns.resolveName(name);
    for (const name of Object.keys(names)) {
      const url = `http://${name}:${listener.port}/`;
      const code = await outcomeOf(url, { rules: rules(), resolveName });
      expect({ name, code }).toEqual({ name, code: "address_not_allowed" });
    }
    expect(listener.connections).toBe(0);
  });
});

describe("a name whose address changes between look-up and connection", () => {
  test("is connected to at the address that was checked", async () => {
    using first = startListener(undefined, "127.0.0.2");
    using second = Bun.listen({
      hostname: "127.0.0.1",
      port: first.port,
      socket: {
        open: () => {
          wrong++;
        },
        data: () => {},
      },
    });
    let wrong = 0;
    await using dns = await startDnsStub((_, asked) => (asked === 1 ? ["127.0.0.2"] : ["127.0.0.1"]));
    const resolveName: ResolveName = (name) => dns.resolveName(name);
    using outbound = createOutbound({ rules: rules("127.0.0.2"), resolveName });
    const url = `http://rebind.test:${first.port}/`;
    expect((await outbound.post(url, request)).status).toBe(204);
    expect(first.requests[0]).toContain(`host: rebind.test:${first.port}\r\n`.replace("host", "Host"));
    // Any later look-up tells the other address.
    expect(await resolveName("rebind.test")).toEqual(["127.0.0.1"]);
    expect(await outcomeOf(url, { rules: rules("127.0.0.2"), resolveName })).toBe("address_not_allowed");
    expect({ wrong, second: second.port }).toEqual({ wrong: 0, second: first.port });
  });

  test("is looked up again for a later attempt", async () => {
    using listener = startListener();
    let address = "127.0.0.1";
    using outbound = createOutbound({ rules: rules("127.0.0.1"), resolveName: async () => [address] });
    const url = `http://later.test:${listener.port}/`;
    expect((await outbound.post(url, request)).status).toBe(204);
    address = "127.0.0.3";
    for (;;) {
      const error = await outbound.post(url, request).then(
        () => undefined,
        (failure: OutboundError) => failure,
      );
      if (error === undefined) continue;
      expect(error.code).toBe("address_not_allowed");
      return;
    }
  });
});

describe("hosts of the operator's own", () => {
  test("are allowed by name, address and network, and no others with them", async () => {
    using listener = startListener();
    const { port } = listener;
    const resolveName = toLoopback;
    for (const [allow, host] of [
      ["hooks.internal", "hooks.internal"],
      ["hooks.internal", "HOOKS.internal."],
      ["127.0.0.1", "other.internal"],
      ["127.0.0.0/8", "127.0.0.1"],
      ["127.0.0.0/8", "[::ffff:127.0.0.1]"],
      ["::1", "[::1]"],
      ["localhost", "localhost"],
    ] as const)
      expect([host, await outcomeOf(`http://${host}:${port}/`, { rules: rules(allow), resolveName })]).toEqual([
        host,
        204,
      ]);
    const { connections } = listener;
    for (const [allow, host] of [
      ["hooks.internal", "other.internal"],
      ["hooks.internal", "a.hooks.internal"],
      ["hooks.internal", "127.0.0.1"],
      ["127.0.0.2", "127.0.0.1"],
      ["::1", "127.0.0.1"],
      ["10.0.0.0/8", "127.0.0.1"],
    ] as const)
      expect([host, await outcomeOf(`http://${host}:${port}/`, { rules: rules(allow), resolveName })]).toEqual([
        host,
        "address_not_allowed",
      ]);
    expect(listener.connections).toBe(connections);
  });

  test("are told apart from what does not resolve", async () => {
    const nothing = { rules: rules(), resolveName: async () => [] };
    expect(await outcomeOf("http://nowhere.test/", nothing)).toBe("name_not_found");
    const failing = { rules: rules(), resolveName: () => Promise.reject(new Error("SERVFAIL")) };
    expect(await outcomeOf("http://nowhere.test/", failing)).toBe("name_not_found");
  });
});

describe("a URL", () => {
  const usual = rules("", {
    http: false,
    ports: [
      [443, 443],
      [8443, 8443],
    ],
  });
  const resolveName = toPublic;
  test.each([
    "http://hooks.example.org/",
    "ftp://hooks.example.org/",
    "file:///etc/passwd",
    "gopher://hooks.example.org/",
    "data:text/plain,x",
    "javascript:alert(1)",
    "//hooks.example.org/",
    "https:hooks.example.org",
    "https:/hooks.example.org",
    "https://",
    "https://.",
    "",
    "hooks.example.org",
    "https://user@hooks.example.org/",
    "https://:secret@hooks.example.org/",
    "https://user:secret@hooks.example.org/",
    "https://hooks.example.org/#part",
    "https://hooks.example.org:22/",
    "https://hooks.example.org:8080/",
    "https://hooks.example.org:0/",
    "https://hooks.example.org:65536/",
    "https://hooks.example.org\\@127.0.0.1/",
    " https://hooks.example.org/",
    "https://hooks.example.org/a b",
    "https://hooks.example.org/\r\nX-Injected: 1",
    "https://hooks.exa\tmple.org/",
    "https://[::1",
    "https://256.256.256.256/",
    "https://1.2.3.4.5/",
  ])("is refused: %s", async (url) => {
    expect(await codeOfCheck(url, { rules: usual, resolveName })).toBe("invalid_url");
    expect(await outcomeOf(url, { rules: usual, resolveName })).toBe("invalid_url");
  });

  test("is refused when it or its host is too long", async () => {
    for (const url of [`https://hooks.example.org/${"a".repeat(2048)}`, `https://${"a".repeat(250)}.org/`])
      expect(await codeOfCheck(url, { rules: usual, resolveName })).toBe("invalid_url");
  });

  test.each([
    "https://hooks.example.org",
    "HTTPS://Hooks.Example.org/a?b=c",
    "https://hooks.example.org:8443/",
    "https://hooks.example.org./",
    "https://bücher.example/",
    "https://1.1.1.1/",
    "https://[2606:4700::1111]/",
    "https://[64:ff9b::1.1.1.1]/",
  ])("is accepted: %s", async (url) => {
    using outbound = createOutbound({ rules: usual, resolveName });
    await outbound.check(url);
  });
});

const octet = fc.integer({ min: 0, max: 255 });
const group = fc.integer({ min: 0, max: 0xffff });

/** Four bytes as IPv6 writes them. */
const hex = ([a = 0, b = 0, c = 0, d = 0]: readonly number[]) =>
  `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;

/** Of RFC 6890 and what followed, written down a second time. */
const isPublic4 = ([a, b, c]: readonly number[]): boolean => {
  const [first = 0, second = 0, third = 0] = [a, b, c];
  if (first === 0 || first === 10 || first === 127 || first >= 224) return false;
  if (first === 100 && second >= 64 && second < 128) return false;
  if (first === 169 && second === 254) return false;
  if (first === 172 && second >= 16 && second < 32) return false;
  if (first === 192 && second === 168) return false;
  if (first === 192 && second === 0 && (third === 0 || third === 2)) return false;
  if (first === 192 && second === 88 && third === 99) return false;
  if (first === 198 && (second === 18 || second === 19)) return false;
  if (first === 198 && second === 51 && third === 100) return false;
  if (first === 203 && second === 0 && third === 113) return false;
  // Of AS112 and AMT: anycast that no receiver has.
  return !(
    (first === 192 && second === 31 && third === 196) ||
    (first === 192 && second === 52 && third === 193) ||
    (first === 192 && second === 175 && third === 48)
  );
};

describe("every address", () => {
  const near = fc.constantFrom(0, 10, 100, 127, 169, 172, 192, 198, 203, 224, 240, 255);
  const four = fc.tuple(fc.oneof(octet, near), octet, octet, octet);

  test("of IPv4 is allowed if the registries call it global, in every spelling of URLs", () => {
    fc.assert(
      fc.property(four, (octets) => {
        const number = octets.reduce((sum, one) => sum * 256 + one, 0);
        const spellings = [octets.join("."), String(number), `0x${number.toString(16)}`, `0${number.toString(8)}`];
        for (const spelling of spellings) {
          const { hostname } = new URL(`http://${spelling}/`);
          expect([spelling, isAllowedAddress(hostname, [])]).toEqual([spelling, isPublic4(octets)]);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("of IPv6 that contains one of IPv4 is judged by that one, or refused", () => {
    fc.assert(
      fc.property(four, (octets) => {
        for (const address of [`::ffff:${hex(octets)}`, `64:ff9b::${hex(octets)}`, `2002:${hex(octets)}::1`])
          expect([address, isAllowedAddress(address, [])]).toEqual([address, isPublic4(octets)]);
        for (const address of [`::${hex(octets)}`, `::ffff:0:${hex(octets)}`, `2001:0:${hex(octets)}::1`])
          expect([address, isAllowedAddress(address, [])]).toEqual([address, false]);
      }),
      { numRuns: 2000 },
    );
  });

  test("of IPv6 outside 2000::/3 is refused", () => {
    fc.assert(
      fc.property(fc.tuple(group, group, group, group, group, group, group, group), (groups) => {
        const [first] = groups;
        fc.pre(first >> 13 !== 1 && first !== 0x64 && first !== 0);
        const address = groups.map((one) => one.toString(16)).join(":");
        expect([address, isAllowedAddress(address, [])]).toEqual([address, false]);
      }),
    );
  });
});
