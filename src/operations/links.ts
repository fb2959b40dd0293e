import { randomBytes } from "node:crypto";
import { authorize, type Caller, may, visibleAlbums } from "../domain/caller.ts";
import { albumNotFound, imageNotFound, StoreError } from "../domain/errors.ts";
import type { Image } from "../domain/image.ts";
import type { LinkKey } from "../domain/link.ts";
import { planRender } from "../domain/render-plan.ts";
import type { PublicOriginals } from "../domain/variant.ts";
import { type Presets, variantNotAllowed } from "../domain/variant-presets.ts";
import { formatSpec, parseVariantQuery, type VariantParameters } from "../domain/variant-query.ts";
import type { FoundImage, ImageRef } from "../ports/access.ts";
import { getImage, type ImageDeps } from "./images.ts";
import type { LinkSigner, SignedTarget } from "./link-signer.ts";
import type { RequestCatalog } from "./request-catalog.ts";

export interface LinkDeps extends ImageDeps {
  readonly links: Pick<LinkSigner, "sign">;
  readonly presets: Presets;
  readonly publicOriginals: PublicOriginals;
}

export interface LinkWish {
  readonly caller: Caller;
  readonly album: string;
  readonly name: string;
  /** Seconds. */
  readonly life: number;
  readonly variant: VariantParameters;
}

export interface CreatedLink extends SignedTarget {
  readonly gives: "original" | "without-location" | "variant";
}

/**
 * A link to the bytes of an image as they are now, or to a variant of them, that needs no key. Presets are expanded: it
 * goes on meaning what it meant. The caller needs the right `share`, and gives no more than it has. Nothing is stored, and the same wish gets the same link for a while.
 * @throws StoreError `album_not_found`, `image_not_found`, `forbidden`, `invalid_variant`, `variant_not_allowed`
 */
export async function createLink(deps: LinkDeps, wish: LinkWish): Promise<CreatedLink> {
  const { image } = await getImage(deps, wish);
  return linkTo(deps, image, wish);
}

/** What a batch asks for: the image by its name or its id. */
export type LinkRequest = Pick<LinkWish, "life" | "variant"> & { readonly image: ImageRef };

/**
 * A link, or why there is none, for each request in their order. It asks the catalog once, whatever their number.
 * @throws StoreError those of the catalog
 */
export async function createLinks(
  deps: LinkDeps,
  caller: Caller,
  requests: readonly LinkRequest[],
): Promise<readonly (CreatedLink | StoreError)[]> {
  const refs = requests.map(({ image }) => image);
  const found = await deps.catalog.imagesByRefs(refs, visibleAlbums(caller));
  return requests.map((request, index) => {
    try {
      return linkTo(deps, requireFound(caller, request.image, found[index] ?? {}), { ...request, caller });
    } catch (error) {
      if (error instanceof StoreError) return error;
      throw error;
    }
  });
}

/** As {@link getImage} and its sibling by id do. */
function requireFound(caller: Caller, ref: ImageRef, { album, image }: FoundImage): Image {
  if (album === undefined) throw "id" in ref ? imageNotFound() : albumNotFound();
  authorize(caller, "read", album);
  if (image === undefined) throw imageNotFound();
  return image;
}

function linkTo(deps: LinkDeps, image: Image, wish: Pick<LinkWish, "caller" | "life" | "variant">): CreatedLink {
  // By its own rights, and not since the album is public for now: a link works on when it is private again.
  for (const right of ["read", "share"] as const)
    authorize(wish.caller, right, { id: image.albumId, name: image.album });
  const { spec: wished, free } = parseVariantQuery(wish.variant, deps.presets);
  const isStripped = wished === undefined && deps.publicOriginals === "without-location";
  const spec = isStripped ? ({ kind: "without-location" } as const) : wished;
  const mayTransform = free || may(wish.caller, "transform", { id: image.albumId, name: image.album });
  if (!mayTransform) throw variantNotAllowed(deps.presets);
  // A variant that can never be made of this image is refused here, not when the link is followed.
  if (spec !== undefined) planRender(spec, image, []);
  const gives = spec === undefined ? "original" : spec.kind === "resized" ? "variant" : spec.kind;
  return { ...deps.links.sign(image.links.content, formatSpec(spec), wish.life), gives };
}

/** The key that this store made when it first needed one. All nodes get the same. */
export const ensureLinkKey = ({ catalog }: { catalog: Pick<RequestCatalog, "write"> }): Promise<LinkKey> =>
  catalog.write({ type: "ensureLinkKey", id: "store", secret: randomBytes(32).toString("base64url") });
