import { createMemo } from "../../concurrency/memo.ts";
import { webhookSecretBytes } from "../../domain/webhook-secret.ts";

export interface SignedMessage {
  readonly id: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly body: string;
}

const encoder = new TextEncoder();

/** Importing a key takes longer than signing with it. */
const keys = createMemo<Promise<CryptoKey>>(4096);

/**
 * The headers of Standard Webhooks 1.0. There is one signature for each secret, so that a receiver verifies with either while
 * secrets rotate.
 */
export async function signWebhook(
  { id, timestamp, body }: SignedMessage,
  secrets: readonly { readonly secret: string }[],
) {
  const signed = encoder.encode(`${id}.${timestamp}.${body}`);
  const signatures = secrets.map(async ({ secret }) => {
    const signature = await crypto.subtle.sign("HMAC", await keys.get(secret, () => importKey(secret)), signed);
    return `v1,${new Uint8Array(signature).toBase64()}`;
  });
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": (await Promise.all(signatures)).join(" "),
  };
}

function importKey(secret: string): Promise<CryptoKey> {
  const bytes = webhookSecretBytes(secret);
  if (bytes === undefined) throw new Error("A webhook has a secret that cannot sign.");
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}
