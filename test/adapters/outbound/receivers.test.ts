import { describe, expect, test } from "bun:test";
import { createOutbound } from "../../../src/adapters/outbound/outbound.ts";
import { parseOwnHosts } from "../../../src/config/addresses.ts";
import type { OutboundError } from "../../../src/domain/outbound.ts";
import { rejectionOf, until } from "../../waiting.ts";
import { startListener } from "./listener.ts";

const rules = { http: true, ports: [[1, 65_535]] as const, allowed: parseOwnHosts("127.0.0.0/8,::1") };
const LONG = 120_000;
const never = new AbortController().signal;

const requestWithin = (timeout: number, signal = never) => ({
  headers: { "x-one": "1" },
  body: "body",
  timeout,
  signal,
});

async function failureOf(url: string, timeout = LONG): Promise<OutboundError> {
  using outbound = createOutbound({ rules });
  return (await rejectionOf(outbound.post(url, requestWithin(timeout)))) as OutboundError;
}

describe("a receiver", () => {
  test("that redirects is not followed", async () => {
    using elsewhere = startListener();
    for (const status of [301, 302, 303, 307, 308]) {
      const location = `http://127.0.0.1:${elsewhere.port}/`;
      using listener = startListener(`HTTP/1.1 ${status} Moved\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`);
      using outbound = createOutbound({ rules });
      expect((await outbound.post(`http://127.0.0.1:${listener.port}/`, requestWithin(LONG))).status).toBe(status);
    }
    expect(elsewhere.connections).toBe(0);
  });

  test("that floods is cut off at 64 KiB, with a declared length and without", async () => {
    const flood = "x".repeat(256 * 1024);
    for (const head of [
      "HTTP/1.1 200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99999999999\r\n\r\n",
    ]) {
      let closed = false;
      let sent = 0;
      await using server = closing(
        Bun.listen({
          hostname: "127.0.0.1",
          port: 0,
          socket: {
            data(socket) {
              socket.write(head);
              sent += Math.max(0, socket.write(flood));
            },
            drain(socket) {
              sent += Math.max(0, socket.write(flood));
            },
            close() {
              closed = true;
            },
          },
        }),
      );
      using outbound = createOutbound({ rules });
      const { status, body } = await outbound.post(`http://127.0.0.1:${server.port}/`, requestWithin(LONG));
      expect({ status, bytes: body.length }).toEqual({ status: 200, bytes: 64 * 1024 });
      await until(() => closed);
      expect(sent).toBeGreaterThan(64 * 1024);
    }
  });

  test("that hangs, before or within the head, ends in a timeout", async () => {
    for (const answer of ["", "HTTP/1.1 200 OK\r\nX-Endless: "]) {
      using listener = startListener(answer);
      const { code, message } = await failureOf(`http://127.0.0.1:${listener.port}/`, 200);
      expect({ code, message }).toEqual({ code: "timeout", message: "There was no response within 0.2 seconds." });
      await until(() => listener.connections === 1);
    }
  });

  test("that sends its status in time and never ends the body has answered", async () => {
    for (const [head, expected] of [
      ["HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nbeginning", ""],
      ["HTTP/1.1 202 Accepted\r\n\r\nbeginning", "beginning"],
    ] as const) {
      using listener = startListener(head);
      using outbound = createOutbound({ rules });
      const { status, body } = await outbound.post(`http://127.0.0.1:${listener.port}/`, requestWithin(2000));
      expect({ status, body: new TextDecoder().decode(body) }).toEqual({ status: 202, body: expected });
    }
  });

  test("that resets, closes or speaks something else has lost the connection", async () => {
    for (const end of ["terminate", "end"] as const) {
      await using server = closing(
        Bun.listen({
          hostname: "127.0.0.1",
          port: 0,
          socket: {
            data(socket) {
              if (end === "end") socket.end();
              else socket.terminate();
            },
          },
        }),
      );
      expect((await failureOf(`http://127.0.0.1:${server.port}/`)).code).toBe("connection_lost");
    }
    using other = startListener("220 mail.example.org ESMTP\r\n\r\n");
    expect((await failureOf(`http://127.0.0.1:${other.port}/`)).code).toBe("connection_lost");
  });

  test("that does not listen, or has no TLS, is told without its address", async () => {
    const listener = startListener("");
    const { port } = listener;
    listener[Symbol.dispose]();
    using outbound = createOutbound({ rules, resolveName: async () => ["127.0.0.1"] });
    const error = (await rejectionOf(outbound.post(`http://away.test:${port}/`, requestWithin(LONG)))) as OutboundError;
    expect(error.code).toBe("connection_failed");
    expect(error.message).toBe("away.test does not accept the connection (ECONNREFUSED).");
    using plain = startListener("HTTP/1.1 200 OK\r\n\r\n");
    const { code } = await failureOf(`https://127.0.0.1:${plain.port}/`);
    expect(["connection_failed", "connection_lost"]).toContain(code);
  });

  test("with several addresses is reached at the one that listens", async () => {
    using listener = startListener(undefined, "127.0.0.1");
    using outbound = createOutbound({ rules, resolveName: async () => ["127.0.0.9", "::1", "127.0.0.1"] });
    const url = `http://several.test:${listener.port}/`;
    for (let sent = 0; sent < 3; sent++) expect((await outbound.post(url, requestWithin(LONG))).status).toBe(204);
    expect(listener.requests.length).toBe(3);
  });
});

describe("a request", () => {
  test("has the given headers, the host of the URL and the body, and asks for no compression", async () => {
    using listener = startListener();
    using outbound = createOutbound({ rules, resolveName: async () => ["127.0.0.1"] });
    await outbound.post(`http://hooks.test:${listener.port}/a/../b%20c?d=%2F&e`, requestWithin(LONG));
    const [request = ""] = listener.requests;
    expect(request).toStartWith("POST /b%20c?d=%2F&e HTTP/1.1\r\n");
    const [head = "", body] = request.split("\r\n\r\n");
    const headers = new Headers(
      head
        .split("\r\n")
        .slice(1)
        .map((line) => line.split(": ") as [string, string]),
    );
    expect(Object.fromEntries(headers)).toMatchObject({
      host: `hooks.test:${listener.port}`,
      "accept-encoding": "identity",
      "content-length": "4",
      "x-one": "1",
    });
    expect(body).toBe("body");
  });

  test("reuses the connection of the one before", async () => {
    using listener = startListener();
    using outbound = createOutbound({ rules });
    const url = `http://127.0.0.1:${listener.port}/`;
    for (let sent = 0; sent < 20; sent++) await outbound.post(url, requestWithin(LONG));
    expect({ connections: listener.connections, requests: listener.requests.length }).toEqual({
      connections: 1,
      requests: 20,
    });
  });

  test("that is aborted rejects with the reason of the signal", async () => {
    using listener = startListener("");
    using outbound = createOutbound({ rules });
    const stopping = new AbortController();
    const failed = rejectionOf(
      outbound.post(`http://127.0.0.1:${listener.port}/`, requestWithin(LONG, stopping.signal)),
    );
    await until(() => listener.requests.length === 1);
    stopping.abort(new Error("stopping"));
    expect((await failed).message).toBe("stopping");
  });

  test("does not wait for a look-up that never ends", async () => {
    using outbound = createOutbound({ rules, resolveName: () => new Promise(() => {}) });
    const error = (await rejectionOf(outbound.post("http://slow.test/", requestWithin(100)))) as OutboundError;
    expect(error.code).toBe("timeout");
  });
});

const closing = <Server extends { stop(force: boolean): void }>(server: Server): Server & AsyncDisposable =>
  Object.assign(server, { [Symbol.asyncDispose]: async () => server.stop(true) });
