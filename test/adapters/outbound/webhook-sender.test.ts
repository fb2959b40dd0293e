import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { createOutbound } from "../../../src/adapters/outbound/outbound.ts";
import { signWebhook } from "../../../src/adapters/outbound/sign-webhook.ts";
import { createWebhookSender } from "../../../src/adapters/outbound/webhook-sender.ts";
import { parseOwnHosts } from "../../../src/config/addresses.ts";
import type { SerializedCloudEvent } from "../../../src/domain/event.ts";
import { newWebhookSecret, requireWebhookSecret } from "../../../src/domain/webhook-secret.ts";

const rules = { http: true, ports: [[1, 65_535]] as const, allowed: parseOwnHosts("127.0.0.1") };
const event: SerializedCloudEvent = {
  attributes: {
    specversion: "1.0",
    id: "0198c5b0-0000-7000-8000-000000000001",
    source: "/image-store/s",
    type: "imagestore.image.created",
    subject: "albums/a/images/i",
    time: "2026-01-01T00:00:00.000Z",
    datacontenttype: "application/json",
    partitionkey: "a",
    sequence: "00000001000000000001",
  },
  data: '{"name":"Bäume 🌲.jpg"}',
};

/** What a receiver that answers so gets and makes of one delivery. */
async function deliver(answer: () => Response, secrets: readonly string[] = [newWebhookSecret()]) {
  const received: { readonly headers: Record<string, string>; readonly body: string }[] = [];
  await using server = Object.assign(
    Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        received.push({ headers: Object.fromEntries(request.headers), body: await request.text() });
        return answer();
      },
    }),
    { [Symbol.asyncDispose]: () => server.stop(true) },
  );
  using sender = createWebhookSender({ outbound: createOutbound({ rules }), userAgent: "image-store/test" });
  const delivery = { url: server.url.href, secrets: secrets.map((secret) => ({ secret })), event };
  const attempt = await sender.send(delivery, new AbortController().signal);
  const [request] = received;
  if (request === undefined) throw new Error("The receiver got nothing.");
  return { attempt, ...request };
}

describe("a delivery", () => {
  test("is a CloudEvent as structured JSON, which the reference library verifies", async () => {
    const secret = newWebhookSecret();
    const { attempt, headers, body } = await deliver(() => new Response(null, { status: 204 }), [secret]);
    const { attributes, data } = event;
    expect(new Webhook(secret).verify(body, headers)).toEqual({ ...attributes, data: JSON.parse(data) as unknown });
    expect(headers).toMatchObject({
      "content-type": "application/cloudevents+json; charset=utf-8",
      "user-agent": "image-store/test",
      "webhook-id": attributes.id,
    });
    expect(attempt).toMatchObject({ delivered: true, status: 204, error: null, response: "", retryAfter: null });
  });

  test("is signed with every secret, so a receiver verifies it with each of them and with no other", async () => {
    const secrets = [newWebhookSecret(), newWebhookSecret()];
    const { headers, body } = await deliver(() => new Response("ok"), secrets);
    for (const secret of secrets) expect(new Webhook(secret).verify(body, headers)).toBeObject();
    expect(() => new Webhook(newWebhookSecret()).verify(body, headers)).toThrow();
    expect(() => new Webhook(secrets[0] ?? "").verify(`${body} `, headers)).toThrow();
    expect(() => new Webhook(secrets[0] ?? "").verify(body, { ...headers, "webhook-id": "other" })).toThrow();
  });

  test.each([
    [200, "ok", null, true, null],
    [299, "", null, true, null],
    [301, "", null, false, "redirected"],
    [400, "bad", null, false, "unexpected_status"],
    [410, "", null, false, "unexpected_status"],
    [429, "", "7", false, "unexpected_status"],
    [500, "x".repeat(5000), null, false, "unexpected_status"],
  ] as const)("that is answered %d is told with its answer", async (status, text, retryAfter, delivered, code) => {
    const headers = {
      ...(retryAfter && { "retry-after": retryAfter }),
      ...(status === 301 && { location: "http://169.254.169.254/" }),
    };
    const { attempt } = await deliver(() => new Response(text, { status, headers }));
    expect(attempt).toMatchObject({
      delivered,
      status,
      response: text.slice(0, 1024),
      retryAfter: retryAfter === null ? null : Number(retryAfter) * 1000,
    });
    expect(attempt.error?.code ?? null).toBe(code);
  });

  test("keeps no NUL of an answer, and cuts it within 1 KiB", async () => {
    const { attempt } = await deliver(() => new Response(`a\0b${"ä".repeat(1000)}`));
    expect(attempt.response).toStartWith("a\uFFFDbää");
    expect(attempt.response.length).toBeLessThan(1024);
  });

  test("to a URL that is not allowed is a failed attempt, which says why", async () => {
    using sender = createWebhookSender({ outbound: createOutbound({ rules }), userAgent: "x" });
    const secrets = [{ secret: newWebhookSecret() }];
    const attempt = await sender.send({ url: "http://10.0.0.1/", secrets, event }, new AbortController().signal);
    expect(attempt).toMatchObject({ delivered: false, status: null, error: { code: "address_not_allowed" } });
  });
});

test("signatures are those of the reference library", async () => {
  const bytes = fc.uint8Array({ minLength: 24, maxLength: 64 });
  await fc.assert(
    fc.asyncProperty(bytes, fc.string({ unit: "grapheme" }), fc.uuid(), fc.nat(), async (key, body, id, timestamp) => {
      const secret = `whsec_${key.toBase64()}`;
      const signed = await signWebhook({ id, timestamp, body }, [{ secret }]);
      expect(signed["webhook-signature"]).toBe(new Webhook(secret).sign(id, new Date(timestamp * 1000), body));
    }),
    { numRuns: 200 },
  );
});

describe("a secret", () => {
  test("of the store's own is one of Standard Webhooks, and never the same", () => {
    const secrets = Array.from({ length: 100 }, newWebhookSecret);
    expect(new Set(secrets).size).toBe(100);
    for (const secret of secrets) expect(requireWebhookSecret(secret)).toBe(secret);
  });

  test.each([
    "",
    "whsec_",
    "whsec_YQ==",
    `whsec_${"A".repeat(90)}`,
    `whsec_${"A".repeat(31)}`,
    "a".repeat(40),
    `whsec_${"*".repeat(40)}`,
  ])("is refused: %s", (secret) => {
    expect(() => requireWebhookSecret(secret)).toThrow("base64 of 24 to 64 bytes");
  });
});
