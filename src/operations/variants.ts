import { type ErrorCode, imageNotFound, StoreError } from "../domain/errors.ts";
import type { StoredContent } from "../domain/image.ts";
import type { Picture, VariantFormat, VariantSpec } from "../domain/variant.ts";
import { type Presets, variantNotAllowed } from "../domain/variant-presets.ts";
import type { VariantRequest } from "../domain/variant-query.ts";
import type { BlobStore, Catalog, Refusal, Renderer, Variant, VariantCache } from "../ports.ts";
import type { SingleFlight } from "./single-flight.ts";
import type { VariantReader, WantedPicture } from "./variant-reader.ts";

export interface VariantPorts {
  readonly catalog: Pick<Catalog, "contentById">;
  readonly blobs: Pick<BlobStore, "lend">;
  readonly renderer: Pick<Renderer, "version" | "render">;
  readonly variantCache: Pick<VariantCache, "find" | "store" | "refuse" | "purge">;
  readonly variantFlights: SingleFlight<Variant>;
  readonly variantReader: VariantReader;
  readonly presets: Presets;
}

/** What is asked for, and by whom. */
export interface VariantWish extends Omit<VariantRequest, "explicit"> {
  readonly spec: VariantSpec;
  /** Whether specs that are not free are theirs to ask for. */
  readonly mayTransform: boolean;
  /** The formats that they take, the best first: for `format=auto`. */
  readonly accepted: readonly VariantFormat[];
  /** Aborts when they wait no longer. */
  readonly signal: AbortSignal;
}

/** A variant, to be read until it is disposed of, and the image that it is of. */
export interface VariantOfImage extends AsyncDisposable {
  readonly image: StoredContent["image"];
  readonly variant: Pick<Variant, "contentType" | "size" | "sha256" | "read">;
  readonly wanted: WantedPicture;
}

/**
 * The variant of an image as it is now: from the cache, or made once for all who wait for it.
 * @param findImage reads the record, before anything else is looked at; it throws when the image is gone
 * @throws StoreError `variant_not_allowed`, `invalid_variant`, `invalid_image`, `image_too_large`, `busy`, `blob_damaged`;
 * `image_not_found` for the version of another renderer; what `findImage` throws; the reason of `signal`
 */
export async function getVariant(
  ports: VariantPorts,
  findImage: () => Promise<StoredContent>,
  wish: VariantWish,
): Promise<VariantOfImage> {
  for (;;) {
    const stored = await findImage();
    const { image } = stored;
    requireAllowed(ports, wish);
    const { wanted, kept } = lookUp(ports, image, wish);
    if (isRefusal(kept)) throw new StoreError(kept.code, kept.message);
    if (kept !== undefined)
      return { image, variant: kept, wanted, [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose]() };
    const { key, picture } = wanted;
    try {
      const share = await ports.variantFlights.join(key, wish.signal, (signal) =>
        makeVariant(ports, stored, key, picture, signal),
      );
      return { image, variant: share.value, wanted, [Symbol.asyncDispose]: () => share[Symbol.asyncDispose]() };
    } catch (error) {
      if (hasCode(error, "image_not_found")) continue; // Its bytes may only have been replaced: see what it is now.
      if (hasCode(error, "blob_damaged") && (await findImage()).location !== stored.location) continue;
      throw error;
    }
  }
}

function requireAllowed({ presets, renderer }: VariantPorts, { free, mayTransform, version }: VariantWish): void {
  if (version !== undefined && version !== renderer.version) {
    throw new StoreError("image_not_found", "Variants of that version are not made any more.", {
      members: { present: renderer.version },
    });
  }
  if (free || mayTransform) return;
  throw variantNotAllowed(presets);
}

interface Found {
  readonly wanted: WantedPicture;
  readonly kept: Variant | Refusal | undefined;
}

function lookUp(
  { variantReader, variantCache }: VariantPorts,
  image: StoredContent["image"],
  wish: VariantWish,
): Found {
  const { spec, accepted, preset } = wish;
  const lookFor = (formats: readonly VariantFormat[]): Found => {
    const wanted = variantReader.resolve(wish, image, formats);
    return { wanted, kept: variantCache.find(wanted.key) };
  };
  const best = lookFor(accepted);
  const isChosen = spec.kind === "resized" && spec.format === "auto" && !preset;
  const { picture } = best.wanted;
  const isCostly = isChosen && picture.kind === "resized" && picture.format === "avif";
  // AVIF takes ten times as long as WebP: nobody who did not ask for it by name is to wait for it, but for presets, of
  // which there are few.
  if (!isCostly || (best.kept !== undefined && !isRefusal(best.kept))) return best;
  return lookFor(accepted.filter((format) => format !== "avif"));
}

async function makeVariant(
  { catalog, blobs, renderer, variantCache }: VariantPorts,
  { image, location }: StoredContent,
  key: string,
  picture: Picture,
  signal: AbortSignal,
): Promise<Variant> {
  const owner = { imageId: image.id, sha256: image.sha256 };
  const variant = await blobs
    .lend(location, { size: image.size }, (source) =>
      variantCache.store(key, owner, (path) => renderer.render(source, picture, path, signal)),
    )
    .catch((error: unknown) => {
      if (isRemembered(error)) variantCache.refuse(key, owner, { code: error.code, message: error.message });
      throw error;
    });
  // Whoever deleted or replaced the image while it was rendered may have purged before there was anything to purge.
  const present = (await catalog.contentById(image.id))?.image.sha256;
  if (present === image.sha256) return variant;
  await variant[Symbol.asyncDispose]();
  await variantCache.purge(image.id, present);
  throw imageNotFound();
}

/** A child that crashed may have been killed by others, for want of memory: that says nothing about the image. */
const isRemembered = (error: unknown): error is StoreError & Refusal =>
  hasCode(error, "invalid_image") && error.members.reason !== "crash";

const isRefusal = (kept: Variant | Refusal | undefined): kept is Refusal => kept !== undefined && "code" in kept;

const hasCode = <Code extends ErrorCode>(error: unknown, code: Code): error is StoreError & { readonly code: Code } =>
  error instanceof StoreError && error.code === code;
