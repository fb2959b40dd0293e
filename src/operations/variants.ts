import type { SingleFlight } from "../concurrency/single-flight.ts";
import { type Caller, may, mayEverywhere, visibleAlbums } from "../domain/caller.ts";
import { type ErrorCode, imageNotFound, StoreError } from "../domain/errors.ts";
import { OUTPUTS, type VariantFormat } from "../domain/formats.ts";
import type { StoredContent } from "../domain/image.ts";
import type { VariantSpec } from "../domain/variant.ts";
import { type Presets, variantNotAllowed } from "../domain/variant-presets.ts";
import type { VariantQuery } from "../domain/variant-query.ts";
import type { BlobStore, Catalog, Refusal, Renderer, Variant, VariantCache, VariantOwner } from "../ports.ts";
import { type ContentRef, findContent } from "./images.ts";
import type { PlannedVariant, VariantResolver } from "./variant-resolver.ts";

export interface VariantDeps {
  readonly catalog: Catalog;
  readonly blobs: Pick<BlobStore, "openLocal">;
  readonly renderer: Pick<Renderer, "version" | "render">;
  readonly variantCache: Pick<VariantCache, "find" | "begin" | "refuse" | "purge">;
  readonly variantFlights: SingleFlight<Variant>;
  readonly variantResolver: VariantResolver;
  readonly presets: Presets;
  /** Called with the reason when an original cannot be rendered; the decoder's message is its cause. */
  readonly onUndecodable?: (imageId: string, error: StoreError) => void;
}

export interface GetVariantOptions extends Omit<VariantQuery, "explicit"> {
  /** The image, and who asks for it. */
  readonly of: ContentRef;
  readonly spec: VariantSpec;
  /** The formats that the client accepts, the best first: for `format=auto`. */
  readonly accepted: readonly VariantFormat[];
  /** Aborts when the client disconnects. */
  readonly signal: AbortSignal;
}

/** A variant, readable until it is disposed of, and its image. */
export interface VariantOfImage extends AsyncDisposable {
  readonly image: StoredContent["image"];
  /** Whether its album is public. */
  readonly isPublic: boolean;
  readonly variant: Pick<Variant, "contentType" | "size" | "sha256" | "read">;
  readonly planned: PlannedVariant;
}

/**
 * The variant of an image as it is now: from the cache, or rendered once for all requests that wait for it. The record is
 * read before anything else, so a deleted image has no variants.
 * @throws StoreError `variant_not_allowed`, `invalid_variant`, `invalid_image`, `image_too_large`, `busy`, `blob_damaged`;
 * `image_not_found` for the version of another renderer; those of {@link findContent}; the reason of `signal`
 */
export async function getVariant(deps: VariantDeps, options: GetVariantOptions): Promise<VariantOfImage> {
  for (;;) {
    const stored = await findContent(deps, options.of);
    const { image, isPublic } = stored;
    requireVersion(deps, options);
    if (!options.free) await requireTransform(deps, image.id, options.of.caller);
    const { planned, kept } = lookUp(deps, image, options);
    if (isRefusal(kept)) throw new StoreError(kept.code, kept.message);
    if (kept !== undefined)
      return { image, isPublic, variant: kept, planned, [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose]() };
    try {
      const share = await deps.variantFlights.join(planned.key, options.signal, (signal) =>
        renderVariant(deps, stored, planned, signal),
      );
      return {
        image,
        isPublic,
        variant: share.value,
        planned,
        [Symbol.asyncDispose]: () => share[Symbol.asyncDispose](),
      };
    } catch (error) {
      // The bytes may have been replaced, or moved, while they were rendered: begin again with the record as it is now.
      const isStale =
        hasCode(error, "image_not_found") ||
        (hasCode(error, "blob_damaged") && (await findContent(deps, options.of)).location !== stored.location);
      if (!isStale) throw error;
    }
  }
}

function requireVersion({ renderer }: VariantDeps, { version }: GetVariantOptions): void {
  if (version !== undefined && version !== renderer.version) {
    throw new StoreError("image_not_found", "This version of the renderer is no longer in use.", {
      members: { present: renderer.version },
    });
  }
}

async function requireTransform({ catalog, presets }: VariantDeps, imageId: string, caller: Caller): Promise<void> {
  if (mayEverywhere(caller, "transform")) return;
  const visibility = visibleAlbums(caller, "transform");
  const isAllowed = may(caller, "transform") && (await catalog.contentById(imageId, visibility)) !== undefined;
  if (!isAllowed) throw variantNotAllowed(presets);
}

interface Found {
  readonly planned: PlannedVariant;
  readonly kept: Variant | Refusal | undefined;
}

function lookUp(
  { variantResolver, variantCache }: VariantDeps,
  image: StoredContent["image"],
  options: GetVariantOptions,
): Found {
  const { spec, accepted, preset } = options;
  const lookFor = (formats: readonly VariantFormat[]): Found => {
    const planned = variantResolver.resolve(options, image, formats);
    return { planned, kept: variantCache.find(planned.key) };
  };
  const best = lookFor(accepted);
  const isChosen = spec.kind === "resized" && spec.format === "auto" && !preset;
  const { plan } = best.planned;
  const isCostly = isChosen && plan.kind === "resized" && OUTPUTS[plan.format].slow === true;
  // AVIF takes ten times as long as WebP, so `auto` renders it for presets only, of which there are few. For other specs it
  // is used once a request has named it.
  if (!isCostly || (best.kept !== undefined && !isRefusal(best.kept))) return best;
  return lookFor(accepted.filter((format) => OUTPUTS[format].slow !== true));
}

async function renderVariant(
  deps: VariantDeps,
  { image, location }: StoredContent,
  { key, plan }: PlannedVariant,
  signal: AbortSignal,
): Promise<Variant> {
  const { blobs, renderer, variantCache, onUndecodable } = deps;
  const owner = { imageId: image.id, sha256: image.sha256 };
  try {
    await using original = await blobs.openLocal(location, { size: image.size });
    await using draft = await variantCache.begin(key, owner);
    const rendered = await renderer.render(original.source, plan, draft.path, signal);
    return await requirePresent(deps, owner, await draft.keep(rendered));
  } catch (error) {
    if (hasCode(error, "invalid_image")) onUndecodable?.(image.id, error);
    if (isRemembered(error)) variantCache.refuse(key, owner, { code: error.code, message: error.message });
    throw error;
  }
}

/**
 * A delete or a replacement may have purged the cache while this variant was not in it yet. The variant is shared by callers
 * of whom each has found the image for itself, so its visibility is not looked at here.
 * @throws StoreError `image_not_found`
 */
async function requirePresent(
  { catalog, variantCache }: VariantDeps,
  { imageId, sha256 }: VariantOwner,
  variant: Variant,
): Promise<Variant> {
  try {
    const present = (await catalog.contentById(imageId, "all"))?.image.sha256;
    if (present === sha256) return variant;
    await variantCache.purge(imageId, present);
    throw imageNotFound();
  } catch (error) {
    await variant[Symbol.asyncDispose]();
    throw error;
  }
}

/** A child that crashed may have been killed for want of memory, which says nothing about the image. */
const isRemembered = (error: unknown): error is StoreError & Refusal =>
  hasCode(error, "invalid_image") && error.members.reason !== "crash";

const isRefusal = (kept: Variant | Refusal | undefined): kept is Refusal => kept !== undefined && "code" in kept;

const hasCode = <Code extends ErrorCode>(error: unknown, code: Code): error is StoreError & { readonly code: Code } =>
  error instanceof StoreError && error.code === code;
