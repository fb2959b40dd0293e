import type { CloudEvent } from "./records.ts";

/** Why a request is not a delivery of the store: answer it with 401. */
export class WebhookVerificationError extends Error {
  override readonly name = "WebhookVerificationError";
}

/** Of fetch, or of Node's request. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

/** Seconds between the attempt and the receiver's clock, as Standard Webhooks says. */
const TOLERANCE = 5 * 60;

/**
 * The event that a webhook of the store has delivered.
 * @param body as it arrived: JSON that was parsed and written again has another signature
 * @param secret the webhook's, `whsec_…`
 * @throws WebhookVerificationError for a request that the secret has not signed, or not within the last five minutes
 */
export async function verifyWebhook(
  body: string | Uint8Array<ArrayBuffer>,
  headers: WebhookHeaders,
  secret: string,
): Promise<CloudEvent> {
  const id = headerOf(headers, "webhook-id");
  const timestamp = headerOf(headers, "webhook-timestamp");
  const age = Date.now() / 1000 - Number(timestamp);
  if (!/^\d+$/.test(timestamp) || Math.abs(age) > TOLERANCE)
    throw new WebhookVerificationError("The header webhook-timestamp is not of the last five minutes.");

  const key = bytesOf(secret.replace(/^whsec_/, ""));
  if (key === undefined) throw new TypeError("The secret of a webhook is whsec_ and Base64.");
  const hmac = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${text}`);
  for (const signature of headerOf(headers, "webhook-signature").split(" ")) {
    const bytes = signature.startsWith("v1,") ? bytesOf(signature.slice(3)) : undefined;
    if (bytes !== undefined && (await crypto.subtle.verify("HMAC", hmac, bytes, signed)))
      return JSON.parse(text) as CloudEvent;
  }
  throw new WebhookVerificationError("No signature in the header webhook-signature is of this secret.");
}

function headerOf(headers: WebhookHeaders, name: string): string {
  const value = headers instanceof Headers ? headers.get(name) : headers[name];
  if (typeof value !== "string") throw new WebhookVerificationError(`The header ${name} is missing.`);
  return value;
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
