import { StoreError } from "./errors.ts";

/** Secrets as Standard Webhooks 1.0 writes them: `whsec_` and the base64 of the key of an HMAC. */
const PREFIX = "whsec_";
/** In bytes, as the specification says. */
const MIN_BYTES = 24;
const MAX_BYTES = 64;
const NEW_BYTES = 32;

export const newWebhookSecret = (): string => PREFIX + crypto.getRandomValues(new Uint8Array(NEW_BYTES)).toBase64();

/**
 * A secret that a client chose.
 * @throws StoreError `invalid_request`
 */
export function requireWebhookSecret(secret: string): string {
  const length = webhookSecretBytes(secret)?.length ?? 0;
  if (length < MIN_BYTES || length > MAX_BYTES)
    throw new StoreError(
      "invalid_request",
      `The secret must be ${PREFIX} and the base64 of ${MIN_BYTES} to ${MAX_BYTES} bytes.`,
      { errors: [{ pointer: "/secret", detail: "is not a secret of Standard Webhooks" }] },
    );
  return secret;
}

/** The key of the HMAC; undefined for what is not a secret. */
export function webhookSecretBytes(secret: string): Uint8Array<ArrayBuffer> | undefined {
  if (!secret.startsWith(PREFIX)) return undefined;
  try {
    return Uint8Array.fromBase64(secret.slice(PREFIX.length), { lastChunkHandling: "strict" });
  } catch {
    return undefined;
  }
}
