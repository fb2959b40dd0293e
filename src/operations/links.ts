import { randomBytes } from "node:crypto";
import type { LinkKey } from "../domain/link.ts";
import { resolvePicture } from "../domain/variant-picture.ts";
import { type Presets, variantNotAllowed } from "../domain/variant-presets.ts";
import { formatSpec, parseVariant, type VariantParameters } from "../domain/variant-query.ts";
import type { Catalog } from "../ports.ts";
import { getImage, type ImagePorts } from "./images.ts";
import type { LinkSigner, SignedTarget } from "./link-signer.ts";

export interface LinkPorts extends ImagePorts {
  readonly links: Pick<LinkSigner, "sign">;
  readonly presets: Presets;
}

export interface LinkWish {
  readonly album: string;
  readonly name: string;
  /** Seconds. */
  readonly life: number;
  readonly variant: VariantParameters;
  /** Whether specs beyond presets and ladder are theirs to give away. */
  readonly mayTransform: boolean;
}

/**
 * A link to the bytes of an image as they are now, or to a variant of them, that needs no key. Presets are expanded: it
 * goes on meaning what it meant. Nothing is stored, and the same wish gets the same link for a while.
 * @throws StoreError `album_not_found`, `image_not_found`, `invalid_variant`, `variant_not_allowed`
 */
export async function createLink(ports: LinkPorts, wish: LinkWish): Promise<SignedTarget> {
  const { image } = await getImage(ports, wish.album, wish.name);
  const { spec, free } = parseVariant(wish.variant, ports.presets);
  if (!free && !wish.mayTransform) throw variantNotAllowed(ports.presets);
  // What can never be made of this image is refused here, and not to whoever follows the link.
  if (spec !== undefined) resolvePicture(spec, image, []);
  return ports.links.sign(image.links.content, formatSpec(spec), wish.life);
}

/** The key that this store made when it first needed one. All nodes get the same. */
export const ensureLinkKey = ({ catalog }: { catalog: Pick<Catalog, "write"> }): Promise<LinkKey> =>
  catalog.write({ type: "ensureLinkKey", id: "store", secret: randomBytes(32).toString("base64url") });
