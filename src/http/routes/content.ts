import { type MaybePromise, whenKnown } from "../../concurrency/maybe-promise.ts";
import { isGuest, mayEverywhere } from "../../domain/caller.ts";
import { StoreError } from "../../domain/errors.ts";
import { CONTENT_TYPES } from "../../domain/formats.ts";
import type { StoredContent } from "../../domain/image.ts";
import type { PublicOriginals } from "../../domain/variant.ts";
import type { VariantParameters, VariantQuery } from "../../domain/variant-query.ts";
import { type ContentRef, findContent, type ImageDeps, isContentGranted } from "../../operations/images.ts";
import { type GetVariantOptions, getVariant, type VariantDeps } from "../../operations/variants.ts";
import type { BlobStore, ByteRange } from "../../ports.ts";
import { answerContent, type ContentOptions, nameOfVariant } from "../content.ts";
import type { ResponseHeader } from "../headers.ts";
import { acceptedFormats } from "../negotiation.ts";
import { type Route, type RouteRequest, route } from "../route.ts";
import { variantQuery } from "../variant-parameters.ts";

export interface ContentRouteDeps extends ImageDeps, VariantDeps {
  readonly catalog: ImageDeps["catalog"];
  readonly blobs: Pick<BlobStore, "read" | "openLocal">;
  readonly publicOriginals: PublicOriginals;
  /** Whether pages of any origin may show the images, in an `<img>` that sends no Origin. */
  readonly embeddable: boolean;
  /** Whether a CDN in front of the store purges by tags. */
  readonly cacheTags: boolean;
}

type ContentTarget =
  | { readonly album: string; readonly name: string }
  | { readonly id: string; readonly sha256: string };
type ContentRequest = RouteRequest<Readonly<Record<string, string>>, VariantParameters>;

const tag = "Images";
const REVALIDATE = "no-cache";
const FOR_EVER = "max-age=31536000, immutable";
/**
 * How long a shared cache serves content of a public album before it asks again, in seconds: for so long others may see
 * the content once the album is private. A browser may keep what it has shown.
 */
const SHARED_FOR = 300;

const headers: readonly ResponseHeader[] = [
  "ETag",
  "Last-Modified",
  "Cache-Control",
  "Cache-Tag",
  "Surrogate-Key",
  "Content-Location",
  "Content-Length",
  "Content-Disposition",
  "Accept-Ranges",
  "Repr-Digest",
  "Vary",
];
const content = Object.fromEntries(Object.values(CONTENT_TYPES).map((type) => [type, { schema: "binary" as const }]));
const responses = {
  200: { description: "The uploaded bytes, or the variant in the query.", headers, content },
  206: { description: "The requested range of the bytes.", headers: [...headers, "Content-Range" as const], content },
  304: {
    description: "The client's copy is current.",
    headers: ["ETag", "Cache-Control", "Cache-Tag", "Surrogate-Key", "Content-Location", "Vary"] as const,
  },
};
const requestHeaders = [
  ...(["Range", "If-Range", "If-None-Match", "If-Match"] as const),
  ...(["If-Modified-Since", "If-Unmodified-Since"] as const),
];
const errors = [
  "invalid_variant",
  "variant_not_allowed",
  "image_not_found",
  "precondition_failed",
  "original_not_shared",
  "range_not_satisfiable",
  "invalid_image",
  "image_too_large",
  "blob_damaged",
] as const;

const getByName = route(
  {
    method: "GET",
    path: "/v1/albums/{album}/images/{image}/content",
    operationId: "getImageContent",
    right: "read",
    summary: "Get an image or a variant of it",
    description:
      "Caches must revalidate the response by its ETag. The URL in `links.content` of the record may be cached forever. Variants other than presets and the " +
      "listed widths need the right `transform`.",
    tag,
    query: variantQuery,
    requestHeaders,
    responses,
    errors: ["album_not_found", ...errors],
  },
  (request, deps: ContentRouteDeps) => {
    const { album, image: name } = request.params;
    return answer(request, deps, { album, name });
  },
);

const getVersion = route(
  {
    method: "GET",
    path: "/v1/images/{id}/content/{sha256}",
    operationId: "getImageVersionContent",
    right: "read",
    acceptsLink: true,
    summary: "Get one version of an image, or a variant of it",
    description:
      "May be cached forever, since new bytes get a new URL. Returns 404 once the image is deleted or has other bytes. A variant " +
      "may be cached forever when its URL determines it completely, including `v`. Variants other than presets and the listed widths need the right " +
      "`transform`, or a signed link.",
    tag,
    query: variantQuery,
    requestHeaders,
    responses,
    errors: ["invalid_link", "link_expired", ...errors],
  },
  (request, deps: ContentRouteDeps) => answer(request, deps, request.params),
);

/** The original or a variant: the query is parsed, the image found, the variant rendered if need be, the bytes sent. */
const answer = (request: ContentRequest, deps: ContentRouteDeps, target: ContentTarget): MaybePromise<Response> =>
  whenKnown(parseQuery(request, deps, target), ({ query, vary }) => {
    const { caller } = request;
    const isOriginal = query?.spec === undefined || query.spec.kind === "without-location";
    const of: ContentRef = { ...target, caller, need: isOriginal ? "originals" : "read" };
    const asked = { of, query, vary };
    if (query?.spec === undefined) return answerOriginal(request, deps, asked);
    return answerVariant(request, deps, asked, { ...query, spec: query.spec, of });
  });

interface Asked {
  readonly of: ContentRef;
  /** Undefined, as without a spec: the original. */
  readonly query: VariantQuery | undefined;
  readonly vary: string | undefined;
}

/** What the URL asks for. The public may get originals without their location only. */
function parseQuery(
  { link, search, query, caller }: ContentRequest,
  deps: ContentRouteDeps,
  of: ContentTarget,
): MaybePromise<Omit<Asked, "of">> {
  const text = link?.query ?? search;
  const asked = text === "" ? undefined : deps.variantResolver.parse(text, query);
  if (deps.publicOriginals === "whole" || asked?.spec !== undefined) return { query: asked, vary: undefined };
  return whenKnown(!isGuest(caller) && isContentGranted(deps, { ...of, caller, need: "read" }), (isGranted) => ({
    query: isGranted ? asked : deps.variantResolver.parse("strip=location", { strip: "location" }),
    // The same URL gives a client with a key the whole original.
    vary: link === undefined ? "Authorization, Cookie" : undefined,
  }));
}

const optionsOf = (
  request: ContentRequest,
  deps: ContentRouteDeps,
  asked: Asked,
  {
    image,
    isPublic,
  }: Pick<StoredContent, "isPublic"> & { readonly image: Pick<StoredContent["image"], "id" | "albumId"> },
): ContentOptions => ({
  cacheControl: cacheControlOf(request, deps, asked, isPublic),
  // The owner of a page embeds a signed link in it, or an image of a public album, wherever that page is.
  crossOrigin: deps.embeddable || request.link !== undefined || isPublic,
  vary: asked.vary,
  tags: deps.cacheTags ? { image: image.id, album: image.albumId } : undefined,
});

/** Shared caches keep only what a client without credentials would get, and no longer than it would. */
function cacheControlOf(
  { anyone, link }: ContentRequest,
  deps: ContentRouteDeps,
  { of, query }: Asked,
  isPublic: boolean,
): string {
  if (link !== undefined) return `public, max-age=${link.maxAge}`;
  const isForAnyone =
    query === undefined ? deps.publicOriginals === "whole" : query.free || mayEverywhere(anyone, "transform");
  const isOpen = mayEverywhere(anyone, "read");
  const isComplete = "sha256" in of && (query === undefined || (query.explicit && query.version !== undefined));
  const lifetime = isComplete ? FOR_EVER : REVALIDATE;
  if (!isForAnyone || !(isOpen || isPublic)) return `private, ${lifetime}`;
  if (!isComplete) return lifetime;
  return isOpen ? `public, ${lifetime}` : `public, s-maxage=${SHARED_FOR}, ${lifetime}`;
}

const answerOriginal = (request: ContentRequest, deps: ContentRouteDeps, asked: Asked): MaybePromise<Response> =>
  whenKnown(findContent(deps, asked.of), (found) => {
    const { image, location, modifiedAt } = found;
    const { contentType, size, sha256, name } = image;
    const read = (range?: ByteRange) => deps.blobs.read(location, range === undefined ? { size } : { size, range });
    const original = { contentType, size, sha256, modifiedAt, name, read };
    return answerContent(request, original, optionsOf(request, deps, asked, found));
  });

async function answerVariant(
  request: ContentRequest,
  deps: ContentRouteDeps,
  asked: Asked,
  variantAsked: Omit<GetVariantOptions, "accepted" | "signal">,
): Promise<Response> {
  const { spec } = variantAsked;
  const { caller, link } = request;
  const isNegotiated = spec.kind === "resized" && spec.format === "auto";
  const wanted: GetVariantOptions = {
    ...variantAsked,
    accepted: isNegotiated ? acceptedFormats(request.raw.headers.get("accept")) : [],
    // The runtime creates the signal when it is read, which a cache hit never does.
    get signal() {
      return request.signal;
    },
  };
  for (let isRetry = false; ; isRetry = true) {
    await using found = await getVariant(deps, wanted);
    const { contentType, size, sha256 } = found.variant;
    const name = nameOfVariant(found.image, contentType);
    const read = (range?: ByteRange) => found.variant.read(range);
    const variant = { contentType, size, sha256, modifiedAt: undefined, name, read };
    const { location, isLocationFree } = found.planned;
    // Only for a client that may ask there: the location carries no signature, and the client of a link has no key.
    const isTheirs = link === undefined && (isLocationFree || mayEverywhere(caller, "transform"));
    const options = optionsOf(request, deps, asked, found);
    const vary = isNegotiated ? "Accept" : options.vary;
    try {
      return await answerContent(request, variant, { ...options, vary, location: isTheirs ? location : undefined });
    } catch (error) {
      // The variant may leave the cache between being found and being read.
      if (isRetry || !(error instanceof StoreError && error.code === "unavailable")) throw error;
    }
  }
}

export const contentRoutes: readonly Route<ContentRouteDeps>[] = [getByName, getVersion];
