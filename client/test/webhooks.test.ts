import { describe, expect, test } from "bun:test";
import { Webhook } from "standardwebhooks";
import { rejectionOf } from "../../test/waiting.ts";
import { verifyWebhook, WebhookVerificationError } from "../src/index.ts";

const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const OTHER = `whsec_${Buffer.alloc(32, 8).toString("base64")}`;
const ID = "0192e4a0-8f10-7aa1-8c11-0d9e8f7a6b5c";
const EVENT = { type: "imagestore.image.created", data: { name: "Größe 🌄.jpg" } };
const BODY = JSON.stringify(EVENT);

/** As the reference library signs. */
function headersOf({ secret = SECRET, body = BODY, seconds = 0 } = {}) {
  const at = new Date(Date.now() + seconds * 1000);
  return {
    "webhook-id": ID,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign(ID, at, body),
  };
}

async function refused(body: string, headers: Record<string, string>): Promise<void> {
  expect(await rejectionOf(verifyWebhook(body, headers, SECRET))).toBeInstanceOf(WebhookVerificationError);
}

describe("verifyWebhook", () => {
  test("returns the event of a request that the secret has signed, whatever form headers and body have", async () => {
    const headers = headersOf();
    const bytes = new TextEncoder().encode(BODY);
    for (const form of [headers, new Headers(headers)])
      for (const body of [BODY, bytes])
        expect(await verifyWebhook(body, form, SECRET)).toEqual(EVENT as unknown as never);
  });

  test("accepts a request that several secrets have signed, by any of them", async () => {
    const headers = headersOf();
    const others = headersOf({ secret: OTHER })["webhook-signature"];
    const both = { ...headers, "webhook-signature": `v1a,x ${others} ${headers["webhook-signature"]}` };
    for (const secret of [SECRET, OTHER]) expect(await verifyWebhook(BODY, both, secret)).toBeDefined();
  });

  test("refuses what another secret signed, and changes to the body, the id or the time", async () => {
    const headers = headersOf();
    await refused(BODY, headersOf({ secret: OTHER }));
    await refused(BODY.replace("created", "deleted"), headers);
    await refused(BODY, { ...headers, "webhook-id": `${ID}1` });
    await refused(BODY, { ...headers, "webhook-timestamp": String(Number(headers["webhook-timestamp"]) + 1) });
    const signature = headers["webhook-signature"].slice("v1,".length);
    for (const other of ["", "v1,", "v1,%", `v2,${signature}`, signature])
      await refused(BODY, { ...headers, "webhook-signature": other });
  });

  test("refuses a request of more than five minutes ago or ahead, and one without a header", async () => {
    await refused(BODY, headersOf({ seconds: -302 }));
    await refused(BODY, headersOf({ seconds: 302 }));
    for (const timestamp of ["", "NaN", "1e9", " 1"])
      await refused(BODY, { ...headersOf(), "webhook-timestamp": timestamp });
    for (const name of Object.keys(headersOf()))
      await refused(BODY, Object.fromEntries(Object.entries(headersOf()).filter(([header]) => header !== name)));
  });

  test("tells a secret that cannot be one from a forged request", async () => {
    expect(await rejectionOf(verifyWebhook(BODY, headersOf(), "whsec_%"))).toBeInstanceOf(TypeError);
  });
});
