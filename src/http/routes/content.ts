import { StoreError } from "../../domain/errors.ts";
import { CONTENT_TYPES, type StoredContent } from "../../domain/image.ts";
import type { VariantSpec } from "../../domain/variant.ts";
import type { VariantParameters, VariantRequest } from "../../domain/variant-query.ts";
import { getContent, getContentVersion, type ImagePorts } from "../../operations/images.ts";
import { getVariant, type VariantPorts } from "../../operations/variants.ts";
import type { BlobStore, ByteRange } from "../../ports.ts";
import { answerContent, type ContentOptions, nameOfVariant } from "../content.ts";
import type { ResponseHeader } from "../headers.ts";
import { acceptedFormats } from "../negotiation.ts";
import { type Route, type RouteRequest, route } from "../route.ts";
import { variantQuery } from "../variant-parameters.ts";

export interface ContentRouteNeeds extends ImagePorts, VariantPorts {
  readonly catalog: ImagePorts["catalog"];
  readonly blobs: Pick<BlobStore, "read" | "lend">;
  /** Anyone may read, so pages of any origin may show the images. */
  readonly publicRead: boolean;
}

type ContentRequest = RouteRequest<Readonly<Record<string, string>>, VariantParameters>;

const tag = "Images";
const REVALIDATE = "no-cache";
const FOR_EVER = "max-age=31536000, immutable";

const headers: readonly ResponseHeader[] = [
  "ETag",
  "Cache-Control",
  "Content-Location",
  "Content-Length",
  "Content-Disposition",
  "Accept-Ranges",
  "Repr-Digest",
  "Vary",
];
const content = Object.fromEntries(Object.values(CONTENT_TYPES).map((type) => [type, { schema: "binary" as const }]));
const responses = {
  200: { description: "The bytes as they were uploaded, or the variant that the query asks for.", headers, content },
  206: { description: "A range of them.", headers: [...headers, "Content-Range" as const], content },
  304: {
    description: "The client has them already.",
    headers: ["ETag", "Cache-Control", "Content-Location", "Vary"] as const,
  },
};
const requestHeaders = ["Range", "If-Range", "If-None-Match", "If-Match"] as const;
const errors = [
  "invalid_variant",
  "variant_not_allowed",
  "image_not_found",
  "precondition_failed",
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
    summary: "Get the bytes of an image, or a variant of it",
    description:
      "To be revalidated by ETag. `links.content` of the record may be kept for ever. A variant beyond presets and the " +
      "listed widths needs the right `transform`.",
    tag,
    query: variantQuery,
    requestHeaders,
    responses,
    errors: ["album_not_found", ...errors],
  },
  (request, needs: ContentRouteNeeds) => {
    const { album, image } = request.params;
    return answer(
      request,
      needs,
      () => getContent(needs, album, image),
      () => REVALIDATE,
    );
  },
);

const getVersion = route(
  {
    method: "GET",
    path: "/v1/images/{id}/content/{sha256}",
    operationId: "getImageVersionContent",
    right: "read",
    acceptsLink: true,
    summary: "Get the bytes of an image by id and digest, or a variant of them",
    description:
      "To be kept for ever: other bytes are at another link. 404 once the image has other bytes or is gone. A variant " +
      "may be kept where its URL says all of it, `v` included. One beyond presets and the listed widths needs the right " +
      "`transform`, or a signed link.",
    tag,
    query: variantQuery,
    requestHeaders,
    responses,
    errors: ["invalid_link", "link_expired", ...errors],
  },
  (request, needs: ContentRouteNeeds) => {
    const { id, sha256 } = request.params;
    const findImage = () => getContentVersion(needs, id, sha256);
    return answer(request, needs, findImage, (variant) => {
      const { link, neededCredential } = request.grant;
      if (link !== undefined) return `public, max-age=${link.maxAge}`;
      const saysAll = variant === undefined || (variant.explicit && variant.version !== undefined);
      return saysAll ? `${neededCredential ? "private" : "public"}, ${FOR_EVER}` : REVALIDATE;
    });
  },
);

/** `cacheControl` is asked without a variant for the original. */
async function answer(
  request: ContentRequest,
  needs: ContentRouteNeeds,
  findImage: () => Promise<StoredContent>,
  cacheControl: (variant: VariantRequest | undefined) => string,
): Promise<Response> {
  // A link was made to be put into a page, wherever that is.
  const crossOrigin = needs.publicRead || request.grant.link !== undefined;
  const query = request.grant.link?.query ?? request.search;
  const asked = query === "" ? undefined : needs.variantReader.parse(query, request.query);
  if (asked?.spec === undefined) {
    const { image, location } = await findImage();
    const { contentType, size, sha256, name } = image;
    const read = (range?: ByteRange) => needs.blobs.read(location, range === undefined ? { size } : { size, range });
    const original = { contentType, size, sha256, name, read };
    return answerContent(request, original, { cacheControl: cacheControl(undefined), crossOrigin });
  }
  return answerVariant(
    request,
    needs,
    findImage,
    { ...asked, spec: asked.spec },
    { cacheControl: cacheControl(asked), crossOrigin },
  );
}

async function answerVariant(
  request: ContentRequest,
  needs: ContentRouteNeeds,
  findImage: () => Promise<StoredContent>,
  asked: VariantRequest & { readonly spec: VariantSpec },
  options: ContentOptions,
  isRetry = false,
): Promise<Response> {
  const { spec } = asked;
  const { link } = request.grant;
  const mayTransform = request.grant.may("transform");
  const isChosen = spec.kind === "resized" && spec.format === "auto";
  await using found = await getVariant(needs, findImage, {
    ...asked,
    mayTransform,
    accepted: isChosen ? acceptedFormats(request.raw.headers.get("accept")) : [],
    // The runtime makes one only when it is asked for, which a cache that has the variant never does.
    get signal() {
      return request.signal;
    },
  });
  const { contentType, size, sha256 } = found.variant;
  const name = nameOfVariant(found.image, contentType);
  const read = (range?: ByteRange) => found.variant.read(range);
  const variant = { contentType, size, sha256, name, read };
  const vary = isChosen ? "Accept" : undefined;
  const { location, isLocationFree } = found.wanted;
  // Where it may be asked for there: who came by a link has no key, and the location no signature.
  const isTheirs = link === undefined && (isLocationFree || mayTransform);
  try {
    return await answerContent(request, variant, { ...options, vary, location: isTheirs ? location : undefined });
  } catch (error) {
    const isGone = error instanceof StoreError && error.code === "unavailable";
    if (isRetry || !isGone) throw error;
  }
  // It left the cache between being found and being read.
  return answerVariant(request, needs, findImage, asked, options, true);
}

export const contentRoutes: readonly Route<ContentRouteNeeds>[] = [getByName, getVersion];
