import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import pino from "pino";
import { parseNetworks } from "../../src/config/addresses.ts";
import { createClientAddress } from "../../src/http/client-address.ts";
import { startStore } from "./harness.ts";

const PROXIES = "10.0.0.0/8, 192.168.1.1, fd00::/8, ::1";
const clientOf = (peer: string, forwarded?: string, proxies = PROXIES) =>
  createClientAddress(parseNetworks(proxies))(
    peer,
    new Headers(forwarded === undefined ? {} : { "X-Forwarded-For": forwarded }),
  );

describe("client address", () => {
  test.each([
    ["203.0.113.7", undefined, "203.0.113.7"],
    ["203.0.113.7", "198.51.100.1", "203.0.113.7"],
    ["::ffff:203.0.113.7", "198.51.100.1", "203.0.113.7"],
    ["10.1.2.3", undefined, "10.1.2.3"],
    ["10.1.2.3", "", "10.1.2.3"],
    ["10.1.2.3", "203.0.113.7", "203.0.113.7"],
    ["::ffff:10.1.2.3", "203.0.113.7", "203.0.113.7"],
    ["::1", "2001:db8::7", "2001:db8::7"],
    ["fd00::5", "[2001:db8::7]:5000", "2001:db8::7"],
    ["10.1.2.3", "203.0.113.7:5000", "203.0.113.7"],
    // What the client wrote itself stands before what proxies added.
    ["10.1.2.3", "1.1.1.1, 203.0.113.7", "203.0.113.7"],
    ["10.1.2.3", "1.1.1.1, 203.0.113.7, 192.168.1.1, 10.9.9.9", "203.0.113.7"],
    ["10.1.2.3", "1.1.1.1, 203.0.113.7, 192.168.1.2, 10.9.9.9", "192.168.1.2"],
    ["10.1.2.3", "10.0.0.1, 10.0.0.2", "10.0.0.1"],
    ["10.1.2.3", "203.0.113.7, unknown", "10.1.2.3"],
    ["10.1.2.3", "203.0.113.7, <script>, 10.0.0.2", "10.0.0.2"],
    ["10.1.2.3", "203.0.113.7,", "10.1.2.3"],
  ])("of %s with X-Forwarded-For %p is %s", (peer, forwarded, client) => {
    expect(clientOf(peer, forwarded)).toBe(client);
  });

  test("is the peer of the connection without a trusted proxy", () => {
    expect(clientOf("10.1.2.3", "203.0.113.7", "")).toBe("10.1.2.3");
  });

  test("is never taken from what only the client wrote", () => {
    const written = fc.array(
      fc.oneof(
        fc.ipV4(),
        fc.ipV6(),
        fc.string().filter((text) => /^[\x20-\x7e]*$/.test(text)),
      ),
    );
    fc.assert(
      fc.property(written, (texts) => {
        expect(clientOf("10.1.2.3", [...texts, "203.0.113.7"].join(", "))).toBe("203.0.113.7");
        expect(clientOf("203.0.113.7", texts.join(", "))).toBe("203.0.113.7");
      }),
    );
  });
});

test.each([
  ["", "127.0.0.1"],
  ["127.0.0.0/8", "203.0.113.7"],
])("with IMAGE_STORE_TRUSTED_PROXIES=%p the log has the client address %s", async (TRUSTED_PROXIES, client) => {
  const lines: string[] = [];
  const logger = pino({ level: "info" }, { write: (line) => void lines.push(line) });
  {
    await using store = await startStore({ TRUSTED_PROXIES, HOST: "127.0.0.1" }, { logger });
    await store.fetch("/v1/albums", { headers: { "X-Forwarded-For": "1.1.1.1, 203.0.113.7" } });
    await store.fetch("/v1/albums/none", { method: "DELETE", headers: { "X-Forwarded-For": "203.0.113.7" } });
  }
  const requests = lines
    .map((line) => JSON.parse(line) as { msg: string; client?: string })
    .filter(({ msg }) => msg === "request");
  expect(requests.map((line) => line.client)).toEqual([client, client]);
});
