import { imageNotFound } from "../../domain/errors.ts";
import { CONTENT_TYPES } from "../../domain/image.ts";
import { getImage, getImageById, type ImagePorts } from "../../operations/images.ts";
import { answerContent, type ContentNeeds } from "../content.ts";
import type { ResponseHeader } from "../headers.ts";
import { type Route, route } from "../route.ts";

export type ContentRouteNeeds = ImagePorts & ContentNeeds;

const tag = "Images";
const REVALIDATE = "no-cache";
const FOR_EVER = "max-age=31536000, immutable";

const headers: readonly ResponseHeader[] = [
  "ETag",
  "Cache-Control",
  "Content-Length",
  "Content-Disposition",
  "Accept-Ranges",
  "Repr-Digest",
];
const content = Object.fromEntries(Object.values(CONTENT_TYPES).map((type) => [type, { schema: "binary" as const }]));
const responses = {
  200: { description: "The bytes as they were uploaded.", headers, content },
  206: { description: "A range of them.", headers: [...headers, "Content-Range" as const], content },
  304: { description: "The client has them already.", headers: ["ETag", "Cache-Control"] as const },
};
const requestHeaders = ["Range", "If-Range", "If-None-Match", "If-Match"] as const;

const getContent = route(
  {
    method: "GET",
    path: "/v1/albums/{album}/images/{image}/content",
    operationId: "getImageContent",
    right: "read",
    summary: "Get the bytes of an image",
    description: "To be revalidated by ETag. `links.content` of the record may be kept for ever.",
    tag,
    requestHeaders,
    responses,
    errors: ["album_not_found", "image_not_found", "precondition_failed", "range_not_satisfiable", "blob_damaged"],
  },
  async (request, needs: ContentRouteNeeds) => {
    const { album, image } = request.params;
    return answerContent(request, needs, await getImage(needs, album, image), REVALIDATE);
  },
);

const getVersion = route(
  {
    method: "GET",
    path: "/v1/images/{id}/content/{sha256}",
    operationId: "getImageVersionContent",
    right: "read",
    summary: "Get the bytes of an image by id and digest",
    description: "To be kept for ever: other bytes are at another link. 404 once the image has other bytes or is gone.",
    tag,
    requestHeaders,
    responses,
    errors: ["image_not_found", "precondition_failed", "range_not_satisfiable", "blob_damaged"],
  },
  async (request, needs: ContentRouteNeeds) => {
    const { id, sha256 } = request.params;
    const stored = await getImageById(needs, id);
    if (stored.image.sha256 !== sha256) throw imageNotFound();
    const whose = request.neededCredential ? "private" : "public";
    return answerContent(request, needs, stored, `${whose}, ${FOR_EVER}`);
  },
);

export const contentRoutes: readonly Route<ContentRouteNeeds>[] = [getContent, getVersion];
