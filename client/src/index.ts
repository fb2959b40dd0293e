export { type Client, type ClientOptions, createClient } from "./client.ts";
export { type ClientErrorCode, type Refused, StoreError } from "./errors.ts";
export type { FollowedEvent, FollowOptions } from "./follow.ts";
export { pages } from "./pages.ts";
export type {
  Album,
  AlbumFields,
  AlbumFilter,
  AlbumPatch,
  BatchOperation,
  BatchOutcome,
  CloudEvent,
  EventType,
  Image,
  ImageByDigest,
  ImageDestination,
  ImageFields,
  ImageFilter,
  ImagePatch,
  KnownImage,
  Variant,
} from "./records.ts";
export type { components, operations, paths } from "./schema.ts";
export type { Uploadable, UploadOptions } from "./upload.ts";
export { type Pictured, srcset, variantUrl, WIDTHS } from "./variants.ts";
export { verifyWebhook, type WebhookHeaders, WebhookVerificationError } from "./webhooks.ts";
