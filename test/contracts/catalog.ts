import { describe } from "bun:test";
import type { OpenCatalog } from "../catalog-changes.ts";
import { albumContract } from "./catalog-albums.ts";
import { batchContract } from "./catalog-batches.ts";
import { blobContract } from "./catalog-blobs.ts";
import { copyContract } from "./catalog-copies.ts";
import { descriptionContract } from "./catalog-descriptions.ts";
import { filesContract } from "./catalog-files.ts";
import { imageContract } from "./catalog-images.ts";
import { keyContract } from "./catalog-keys.ts";
import { leaseContract } from "./catalog-leases.ts";
import { listingContract } from "./catalog-listings.ts";
import { logContract } from "./catalog-log.ts";
import { modelContract } from "./catalog-model.ts";
import { moveContract } from "./catalog-moves.ts";
import { quotaContract } from "./catalog-quotas.ts";
import { replayContract } from "./catalog-replay.ts";
import { shareContract } from "./catalog-shares.ts";
import { ticketContract } from "./catalog-tickets.ts";
import { visibilityContract } from "./catalog-visibility.ts";
import { webhookDeliveryContract } from "./catalog-webhook-deliveries.ts";
import { webhookReplayContract } from "./catalog-webhook-replays.ts";
import { webhookContract } from "./catalog-webhooks.ts";

/** What every Catalog does. `open` gives a fresh, empty one. */
export function catalogContract(name: string, open: OpenCatalog): void {
  describe(`Catalog contract: ${name}`, () => {
    for (const part of [
      albumContract,
      imageContract,
      moveContract,
      copyContract,
      listingContract,
      logContract,
      leaseContract,
      replayContract,
      quotaContract,
      blobContract,
      filesContract,
      batchContract,
      descriptionContract,
      modelContract,
      visibilityContract,
      keyContract,
      ticketContract,
      shareContract,
      webhookContract,
      webhookDeliveryContract,
      webhookReplayContract,
    ])
      describe(part.name, () => part(open));
  });
}
