import { authorize, type Caller, visibleAlbums } from "../domain/caller.ts";
import type { ImageLayout } from "../domain/image.ts";
import type { Page } from "../domain/page.ts";
import type { Catalog, ImageQuery, KnownImage } from "../ports.ts";
import { fillPage } from "./fill-page.ts";

export interface CompactListingDeps {
  readonly catalog: Pick<Catalog, "album" | "imageLayout" | "knownImages">;
}

/** Of the images that `listImages` gives for the query, as much as a page needs to place them. @throws StoreError `forbidden` */
export async function listImageLayout(
  { catalog }: CompactListingDeps,
  caller: Caller,
  query: Omit<ImageQuery, "visibility">,
  options: { readonly signal: AbortSignal },
): Promise<Page<ImageLayout>> {
  authorize(caller, "read");
  const visibility = visibleAlbums(caller, "read");
  return fillPage((part: ImageQuery) => catalog.imageLayout(part), { ...query, visibility }, options);
}

/**
 * Which of these bytes the caller may read already: for each digest that has one, an image with those bytes, in the order of
 * the digests.
 * @param query.sha256 at most 1,000, in lower-case hexadecimal
 * @throws StoreError `forbidden`
 */
export async function findKnownImages(
  { catalog }: CompactListingDeps,
  caller: Caller,
  query: { readonly sha256: readonly string[]; readonly albumId: string | undefined },
): Promise<readonly KnownImage[]> {
  authorize(caller, "read");
  const sha256 = [...new Set(query.sha256)];
  const found = await catalog.knownImages({ ...query, sha256, visibility: visibleAlbums(caller, "read") });
  const byDigest = new Map(found.map((image) => [image.sha256, image]));
  return sha256.map((digest) => byDigest.get(digest)).filter((image) => image !== undefined);
}
