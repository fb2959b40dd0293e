import { z } from "@hono/zod-openapi";
import { encodeCursor } from "../../domain/event.ts";
import type { ImageLayout } from "../../domain/image.ts";
import { encodePageToken, MAX_LAYOUT_SIZE, type Page } from "../../domain/page.ts";
import { type CompactListingDeps, findKnownImages, listImageLayout } from "../../operations/compact-listings.ts";
import { requireAlbum } from "../../operations/require-album.ts";
import { cursorSchema, integerParameter } from "../listing-schemas.ts";
import { pageScope } from "../paging.ts";
import { answers, json, type Route, route } from "../route.ts";
import { sha256Schema } from "../schemas.ts";
import { exampleImage, imageFilters, imageQuery, SHORT_PAGES } from "./images.ts";

const tag = "Images";
const { id, name, album, albumId, sha256, width, height, placeholder, createdAt } = exampleImage;

const time = z.int().openapi({ description: "Milliseconds since 1970, UTC." });
const column = <Item extends z.ZodType>(item: Item, description: string) => z.array(item).openapi({ description });
const layoutSchema = z
  .strictObject({
    ids: column(z.uuid(), "The images in the order of the listing. Every other column has the same order."),
    sha256: column(
      sha256Schema,
      "SHA-256 digests of the bytes. With its id, the digest of an image makes the URL of its content.",
    ),
    widths: column(z.int().min(1), "In pixels, as displayed."),
    heights: column(z.int().min(1), "In pixels, as displayed."),
    placeholders: column(z.string().nullable(), "ThumbHashes, in base64."),
    takenAt: column(time.nullable(), "When each was taken. Milliseconds since 1970."),
    createdAt: column(time, "When each was uploaded. Milliseconds since 1970."),
    nextPageToken: z.string().optional().openapi({ description: "Absent on the last page only." }),
    watermark: cursorSchema,
  })
  .openapi("ImageLayoutPage", { description: "Images by columns: the entries at one index are of one image." });

const layout = route(
  {
    method: "GET",
    path: "/v1/albums/{album}/layout",
    operationId: "listImageLayout",
    right: "read",
    summary: "List the layout of an album",
    description:
      "Lists the images of `listImages` in the same order, as columns, with only what a page needs to place them. " +
      SHORT_PAGES,
    tag,
    query: imageFilters.extend({
      pageSize: integerParameter(1, MAX_LAYOUT_SIZE)
        .optional()
        .openapi({ type: "integer", minimum: 1, maximum: MAX_LAYOUT_SIZE, default: 1000 }),
    }),
    responses: {
      200: answers("A page of the layout.", layoutSchema, {
        ids: [id],
        sha256: [sha256],
        widths: [width],
        heights: [height],
        placeholders: [placeholder],
        takenAt: [Date.parse("2026-07-14T04:12:40.000Z")],
        createdAt: [Date.parse(createdAt)],
        watermark: "MS4xLjQy",
      }),
    },
    errors: ["album_not_found", "invalid_page_token"],
  },
  async (request, deps: CompactListingDeps) => {
    const { caller, params } = request;
    const { id: ofAlbum } = await requireAlbum(deps, caller, "read", params.album);
    const scope = pageScope("listImageLayout", request.query, ofAlbum);
    const { pageSize = 1000, ...rest } = request.query;
    const query = imageQuery({ ...rest, pageSize }, scope, ofAlbum);
    return json(200, columnsOf(await listImageLayout(deps, caller, query, request), scope));
  },
);

function columnsOf({ items, next, watermark }: Page<ImageLayout>, scope: string) {
  const all = <Key extends keyof ImageLayout>(key: Key) => items.map((image) => image[key]);
  return {
    ids: all("id"),
    sha256: all("sha256"),
    widths: all("width"),
    heights: all("height"),
    placeholders: all("placeholder"),
    takenAt: all("takenAt"),
    createdAt: all("createdAt"),
    ...(next === undefined ? {} : { nextPageToken: encodePageToken(next, scope) }),
    watermark: encodeCursor(watermark),
  };
}

const MAX_DIGESTS = 1000;

const known = route(
  {
    method: "POST",
    path: "/v1/images/known",
    operationId: "findKnownImages",
    right: "read",
    summary: "Find which bytes the store has",
    description:
      "Returns, for each digest, one image with these bytes that the caller may read, if there is one. A client that synchronises files calls " +
      "it before it uploads. If more than 5,000 images have the same bytes, the store may miss the one that the caller may read.",
    tag,
    body: {
      schema: z
        .strictObject({
          sha256: z.array(sha256Schema).max(MAX_DIGESTS),
          albumId: z.uuid().toLowerCase().optional().openapi({ description: "Only images of this album." }),
        })
        .openapi("DigestQuery"),
      example: { sha256: [sha256] },
    },
    responses: {
      200: answers(
        "The images that were found, in the order of their digests.",
        z
          .strictObject({
            items: z.array(
              z
                .strictObject({
                  sha256: sha256Schema,
                  id: z.uuid(),
                  name: z.string(),
                  album: z.string(),
                  albumId: z.uuid(),
                })
                .openapi("KnownImage"),
            ),
          })
          .openapi("KnownImages"),
        { items: [{ sha256, id, name, album, albumId }] },
      ),
    },
    errors: [],
  },
  async (request, deps: CompactListingDeps) => {
    const { sha256: digests, albumId: ofAlbum } = request.body;
    return json(200, { items: await findKnownImages(deps, request.caller, { sha256: digests, albumId: ofAlbum }) });
  },
);

export const compactListingRoutes: readonly Route<CompactListingDeps>[] = [layout, known];
