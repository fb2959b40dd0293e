import type { AlbumZipDeps } from "../operations/album-zip.ts";
import type { AlbumDeps } from "../operations/albums.ts";
import type { CompactListingDeps } from "../operations/compact-listings.ts";
import type { KeyDeps } from "../operations/keys.ts";
import type { WebhookTestDeps } from "../operations/webhooks.ts";
import type { Route } from "./route.ts";
import { albumZipRoutes } from "./routes/album-zip.ts";
import { albumRoutes } from "./routes/albums.ts";
import { type BatchRouteDeps, batchRoutes } from "./routes/batches.ts";
import { compactListingRoutes } from "./routes/compact-listings.ts";
import { type ContentRouteDeps, contentRoutes } from "./routes/content.ts";
import { type CursorRouteDeps, cursorRoutes } from "./routes/cursors.ts";
import { type DocsRouteDeps, docsRoutes } from "./routes/docs.ts";
import { type EventRouteDeps, eventRoutes } from "./routes/events.ts";
import { type HealthRouteDeps, healthRoutes } from "./routes/health.ts";
import { imageMoveRoutes } from "./routes/image-moves.ts";
import { imageRoutes } from "./routes/images.ts";
import { keyRoutes } from "./routes/keys.ts";
import { type LinkRouteDeps, linkRoutes } from "./routes/links.ts";
import { type MeRouteDeps, meRoutes } from "./routes/me.ts";
import { type PageRouteDeps, pageRoutes } from "./routes/page.ts";
import { quotaRoutes } from "./routes/quotas.ts";
import { type SessionRouteDeps, sessionRoutes } from "./routes/sessions.ts";
import { type ShareRouteDeps, shareRoutes } from "./routes/shares.ts";
import { type TicketUploadRouteDeps, ticketUploadRoutes } from "./routes/ticket-uploads.ts";
import { type TicketRouteDeps, ticketRoutes } from "./routes/tickets.ts";
import { type UploadRouteDeps, uploadRoutes } from "./routes/uploads.ts";
import { webhookDeliveryRoutes } from "./routes/webhook-deliveries.ts";
import { webhookRoutes } from "./routes/webhooks.ts";

/** What the routes need. */
export type RouteDeps = AlbumDeps &
  AlbumZipDeps &
  BatchRouteDeps &
  CompactListingDeps &
  UploadRouteDeps &
  ContentRouteDeps &
  LinkRouteDeps &
  TicketRouteDeps &
  TicketUploadRouteDeps &
  ShareRouteDeps &
  SessionRouteDeps &
  EventRouteDeps &
  CursorRouteDeps &
  KeyDeps &
  WebhookTestDeps &
  MeRouteDeps &
  DocsRouteDeps &
  PageRouteDeps &
  HealthRouteDeps;
/** The whole API. */
export const routes: readonly Route<RouteDeps>[] = [
  ...albumRoutes,
  ...albumZipRoutes,
  // Before the images by id.
  ...compactListingRoutes,
  ...imageRoutes,
  ...imageMoveRoutes,
  ...batchRoutes,
  ...uploadRoutes,
  ...contentRoutes,
  ...linkRoutes,
  ...ticketRoutes,
  ...ticketUploadRoutes,
  ...shareRoutes,
  ...sessionRoutes,
  ...eventRoutes,
  ...cursorRoutes,
  ...webhookRoutes,
  ...webhookDeliveryRoutes,
  ...keyRoutes,
  ...meRoutes,
  ...quotaRoutes,
  ...docsRoutes,
  ...pageRoutes,
  ...healthRoutes,
];
