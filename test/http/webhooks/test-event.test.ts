import { describe, expect, test } from "bun:test";
import { Webhook as Verifier } from "standardwebhooks";
import { jsonOf, startStore } from "../harness.ts";
import type { Problem, Webhook } from "./webhook-store.ts";

describe("a test of a webhook", () => {
  interface Result {
    readonly eventId: string;
    readonly delivered: boolean;
    readonly status: number | null;
    readonly error: { readonly code: string } | null;
    readonly response: string;
  }

  test("sends an event that is not in the log, signed, and returns what came of it", async () => {
    const received: { headers: Headers; body: string }[] = [];
    let status = 200;
    using receiver = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        received.push({ headers: request.headers, body: await request.text() });
        return new Response("thanks", { status });
      },
    });
    const settings = { OUTBOUND_HTTP: "true", OUTBOUND_ALLOW: "127.0.0.1/32", OUTBOUND_PORTS: "1-65535" };
    await using open = await startStore(settings);
    const url = `http://127.0.0.1:${receiver.port}/hook`;
    const { id, secret = "" } = await jsonOf<Webhook>(await open.send("POST", "/v1/webhooks", { url }));
    await open.send("PATCH", `/v1/webhooks/${id}`, { paused: true }, { "Content-Type": "application/json" });
    const send = async () => jsonOf<Result>(await open.fetch(`/v1/webhooks/${id}/test`, { method: "POST" }));
    const { eventId, ...result } = await send();
    expect(result).toMatchObject({ delivered: true, status: 200, error: null, response: "thanks" });
    const [first] = received;
    const headers = Object.fromEntries(first?.headers ?? []);
    expect(new Verifier(secret).verify(first?.body ?? "", headers)).toMatchObject({
      id: eventId,
      type: "imagestore.webhook.test",
      subject: `webhooks/${id}`,
      data: { id, url, paused: true },
    });
    expect(first?.body).not.toContain("whsec_");

    const rotated = await jsonOf<Webhook>(await open.send("POST", `/v1/webhooks/${id}/rotate-secret`, {}));
    status = 503;
    expect(await send()).toMatchObject({ delivered: false, status: 503, error: { code: "unexpected_status" } });
    const [, second] = received;
    for (const one of [secret, rotated.secret ?? ""])
      new Verifier(one).verify(second?.body ?? "", Object.fromEntries(second?.headers ?? []));
    const { items } = await jsonOf<{ items: object[] }>(await open.fetch(`/v1/webhooks/${id}/deliveries`));
    expect(items).toEqual([]);
    const events = await jsonOf<{ items: { type: string }[] }>(await open.fetch("/v1/events"));
    expect(events.items.map(({ type }) => type)).not.toContain("imagestore.webhook.test");
  });
});

describe("the URL of a webhook", () => {
  test.each([
    "http://hooks.example.com/",
    "https://127.0.0.1/",
    "https://[::1]/",
    "https://0x7f000001/",
    "https://169.254.169.254/latest/meta-data",
    "https://localhost./",
    "https://user:password@203.0.113.7/",
    "https://203.0.113.7:22/",
    "https://no-such-host.invalid/",
    "ftp://203.0.113.7/",
    "nonsense",
    "",
  ])("%s is 400 invalid_webhook_url, which says why", async (url) => {
    await using guarded = await startStore();
    const response = await guarded.send("POST", "/v1/webhooks", { url });
    const problem = await jsonOf<Problem>(response);
    expect([response.status, problem.code]).toEqual([400, "invalid_webhook_url"]);
    expect(problem.errors).toEqual([{ pointer: "/url", detail: problem.detail }]);
    expect(problem.detail.length).toBeGreaterThan(10);
  });
});
