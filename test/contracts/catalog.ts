import { describe } from "bun:test";
import { albumContract } from "./catalog-albums.ts";
import { blobContract } from "./catalog-blobs.ts";
import type { OpenCatalog } from "./catalog-changes.ts";
import { descriptionContract } from "./catalog-descriptions.ts";
import { imageContract } from "./catalog-images.ts";
import { leaseContract } from "./catalog-leases.ts";
import { listingContract } from "./catalog-listings.ts";
import { logContract } from "./catalog-log.ts";
import { modelContract } from "./catalog-model.ts";
import { replayContract } from "./catalog-replay.ts";

/** What every Catalog does. `open` gives a fresh, empty one. */
export function catalogContract(name: string, open: OpenCatalog): void {
  describe(`Catalog contract: ${name}`, () => {
    for (const part of [
      albumContract,
      imageContract,
      listingContract,
      logContract,
      leaseContract,
      replayContract,
      blobContract,
      descriptionContract,
      modelContract,
    ])
      describe(part.name, () => part(open));
  });
}
