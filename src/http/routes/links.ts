import { z } from "@hono/zod-openapi";
import { StoreError } from "../../domain/errors.ts";
import { DEFAULT_LINK_LIFE, MAX_LINK_LIFE, MIN_LINK_LIFE } from "../../domain/link.ts";
import { VARIANT_PARAMETERS, type VariantParameter } from "../../domain/variant-query.ts";
import { type CreatedLink, createLink, createLinks, type LinkDeps } from "../../operations/links.ts";
import { statusOf } from "../problem.ts";
import { answers, json, type Route, route } from "../route.ts";
import { errorCodeSchema, imageNameSchema, nameSchema } from "../schemas.ts";
import { VARIANT_DOCUMENTATION } from "../variant-parameters.ts";

export interface LinkRouteDeps extends LinkDeps {
  /** Origin under which clients reach the store. */
  readonly publicUrl: string | undefined;
}

/** Numbers may come as text and text that is a number as one: all of them are what a query would say. */
const value = (name: VariantParameter) =>
  z.union([z.string(), z.number()]).transform(String).optional().openapi(VARIANT_DOCUMENTATION[name]);
const isLinked = (name: VariantParameter): name is Exclude<VariantParameter, "v"> => name !== "v";
const variantSchema = z
  .strictObject(Object.fromEntries(VARIANT_PARAMETERS.filter(isLinked).map((name) => [name, value(name)])))
  .openapi("LinkedVariant", { description: "The query parameters of a content URL." });

const wishFields = {
  expiresIn: z
    .int()
    .min(MIN_LINK_LIFE)
    .max(MAX_LINK_LIFE)
    .default(DEFAULT_LINK_LIFE)
    .openapi({ description: "Minimum lifetime of the link in seconds. It may work for a quarter longer." }),
  variant: variantSchema.optional().openapi({
    description:
      "The variant to link to. Without it the link is to the original; if the store does not publish originals, to the original without its location.",
  }),
};
const linkWishSchema = z.strictObject(wishFields).openapi("LinkRequest");

const MAX_LINKS = 1000;
const itemSchema = z
  .strictObject({
    album: nameSchema.optional().openapi({ description: "Name of the album, with `image`." }),
    image: imageNameSchema.optional().openapi({ description: "Name of the image, with `album`." }),
    id: z.string().max(100).optional().openapi({ description: "Id of the image, instead of `album` and `image`." }),
    ...wishFields,
  })
  .refine(
    ({ album, image, id }) =>
      id === undefined ? album !== undefined && image !== undefined : (album ?? image) === undefined,
    {
      message: "must have either `id`, or `album` and `image`",
    },
  )
  .openapi("LinkItem");
const batchSchema = z.strictObject({ items: z.array(itemSchema).min(1).max(MAX_LINKS) }).openapi("LinksRequest");

const linkSchema = z
  .strictObject({
    url: z.string().openapi({ description: "Absolute if the store has a public URL, otherwise a path and query." }),
    expiresAt: z.iso.datetime({ precision: 3 }),
    gives: z.enum(["original", "without-location", "variant"]).openapi({
      description: "What the link returns: the original, the original without its location, or the requested variant.",
    }),
  })
  .openapi("Link");

const outcomeSchema = z
  .strictObject({
    status: z.int().openapi({ description: "200, or the status of a request for this link alone." }),
    link: linkSchema.optional(),
    error: z
      .strictObject({ code: errorCodeSchema, detail: z.string() })
      .optional()
      .openapi("LinkError", { description: "Why there is no link." }),
  })
  .openapi("LinkOutcome");

const exampleLink = {
  url: "/v1/images/0192e4a1-1b2c-7d3e-8f40-5a6b7c8d9e0f/content/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08?w=640&format=webp&expires=1784129400&key=store&signature=kR0pVY3GxqOeY6Vb8VwXk0bD7jv1nJm4Y2TnP1rYt5A",
  expiresAt: "2026-07-15T15:30:00.000Z",
  gives: "variant",
};
/** The links authorize any client. */
const NO_STORE = { "Cache-Control": "no-store" };

const create = route(
  {
    method: "POST",
    path: "/v1/albums/{album}/images/{image}/links",
    operationId: "createLink",
    right: ["read", "share"],
    summary: "Create a signed link",
    description:
      "The link shows the current bytes of the image, or a variant of them, until it expires. Variants other than presets " +
      "and the listed widths need the right `transform`. The store keeps no list of links, so `Idempotency-Key` has no effect. " +
      "The link stops working when the image is deleted or gets other bytes, or when its signing key is removed.",
    tag: "Images",
    body: {
      schema: linkWishSchema,
      example: { expiresIn: 86_400, variant: { w: 640, format: "webp" } },
      optional: true,
    },
    responses: {
      200: answers("The link.", linkSchema, exampleLink),
    },
    errors: ["album_not_found", "image_not_found", "invalid_variant", "variant_not_allowed"],
  },
  async ({ caller, params, body }, deps: LinkRouteDeps) => {
    const { expiresIn: life, variant = {} } = body;
    const wish = { caller, album: params.album, name: params.image, life, variant };
    return json(200, answerLink(await createLink(deps, wish).catch(inBody), deps), NO_STORE);
  },
);

const createMany = route(
  {
    method: "POST",
    path: "/v1/links",
    operationId: "createLinks",
    right: ["read", "share"],
    summary: "Create signed links",
    description: `At most ${MAX_LINKS} links, each as \`createLink\` makes it, to images by their names or ids. \`Idempotency-Key\` has no effect.`,
    tag: "Images",
    body: {
      schema: batchSchema,
      example: {
        items: [
          { album: "Summer 2026", image: "lake.jpg", variant: { w: 640, format: "webp" } },
          { id: "0192e4a1-1b2c-7d3e-8f40-5a6b7c8d9e0f", expiresIn: 86_400 },
        ],
      },
    },
    responses: {
      200: answers(
        "The links, in the order of the items.",
        z.strictObject({ items: z.array(linkSchema) }).openapi("Links"),
        {
          items: [exampleLink],
        },
      ),
      207: answers(
        "If there is no link for some of the items: the outcome of each, in their order.",
        z.strictObject({ items: z.array(outcomeSchema) }).openapi("LinkOutcomes"),
        {
          items: [
            { status: 200, link: exampleLink },
            { status: 404, error: { code: "image_not_found", detail: "There is no such image." } },
          ],
        },
      ),
    },
    errors: [],
  },
  async ({ caller, body }, deps: LinkRouteDeps) => {
    const requests = body.items.map(({ album, image, id, expiresIn: life, variant = {} }) => ({
      image: id === undefined ? { album: album ?? "", name: image ?? "" } : { id },
      life,
      variant,
    }));
    const done = await createLinks(deps, caller, requests);
    const refused = done.some((one) => one instanceof StoreError);
    const items = done.map((one) => {
      if (!(one instanceof StoreError))
        return refused ? { status: 200, link: answerLink(one, deps) } : answerLink(one, deps);
      return { status: statusOf(one.code), error: { code: one.code, detail: one.message } };
    });
    return json(refused ? 207 : 200, { items }, NO_STORE);
  },
);

const answerLink = ({ target, expiresAt, gives }: CreatedLink, { publicUrl = "" }: LinkRouteDeps) => ({
  url: publicUrl + target,
  expiresAt: new Date(expiresAt).toISOString(),
  gives,
});

/** What is wrong with a parameter of the variant is wrong with a member of the body. */
function inBody(error: unknown): never {
  if (!(error instanceof StoreError) || error.code !== "invalid_variant") throw error;
  const errors = error.errors.map(({ parameter, detail }) => ({ pointer: `/variant/${parameter}`, detail }));
  throw new StoreError(error.code, error.message, { errors });
}

export const linkRoutes: readonly Route<LinkRouteDeps>[] = [create, createMany];
