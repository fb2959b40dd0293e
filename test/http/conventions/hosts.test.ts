import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startStore, type TestStore } from "../harness.ts";
import { request, statusOf } from "../raw-request.ts";

let store: TestStore;
beforeAll(async () => {
  store = await startStore({ MAX_JSON: "256KiB" });
});
afterAll(() => store[Symbol.asyncDispose]());

describe("Host", () => {
  test.each([
    ["two", "Host: localhost\r\nHost: localhost"],
    ["two that differ", "Host: localhost\r\nHost: evil.example"],
    ["a space", "Host: local host"],
    ["a path", "Host: localhost/v1"],
    ["a user", "Host: a@localhost"],
    ["a fragment", "Host: localhost#"],
    ["a port that is none", "Host: localhost:http"],
    ["a port beyond the last", "Host: localhost:65536"],
    ["empty", "Host: "],
    ["foreign", "Host: evil.example"],
    ["an address that is not ours", "Host: 169.254.169.254"],
    ["a name that begins like an address of ours", "Host: 127.0.0.1.evil.example"],
    ["one that begins like ours", "Host: localhost.evil.example"],
  ])("%s is 400", async (_why, host) => {
    const { text } = await store.sendRaw(`GET /v1/albums HTTP/1.1\r\n${host}\r\nConnection: close\r\n\r\n`);
    expect(statusOf(text)).toBe(400);
    expect(text).toContain('"code":"invalid_host"');
    expect(text.toLowerCase()).toContain("x-request-id: ");
  });

  test("a missing Host is 400", async () => {
    expect(statusOf((await store.sendRaw("GET /v1/albums HTTP/1.1\r\n\r\n")).text)).toBe(400);
    expect(statusOf((await store.sendRaw("GET /v1/albums HTTP/1.0\r\n\r\n")).text)).toBe(400);
  });

  test.each(["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.0.0.2", "[::1]", "[::1]:8080"])(
    "%s is accepted",
    async (host) => {
      const { text } = await store.sendRaw(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      expect(statusOf(text)).toBe(200);
    },
  );

  test("an absolute target overrides the header", async () => {
    const { text } = await store.sendRaw(request("GET http://evil.example/healthz", "Connection: close"));
    expect(statusOf(text)).toBe(200);
  });
});
