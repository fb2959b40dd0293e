import { z } from "@hono/zod-openapi";
import { StoreError } from "../../domain/errors.ts";
import { DEFAULT_LINK_LIFE, MAX_LINK_LIFE, MIN_LINK_LIFE } from "../../domain/link.ts";
import { VARIANT_PARAMETERS, type VariantParameter } from "../../domain/variant-query.ts";
import { createLink, type LinkPorts } from "../../operations/links.ts";
import { answers, json, type Route, route } from "../route.ts";

export interface LinkNeeds extends LinkPorts {
  /** Origin under which clients reach the store. */
  readonly publicUrl: string | undefined;
}

const value = z
  .union([z.string(), z.number()])
  .transform(String)
  .optional()
  .openapi({ type: ["string", "number"] });
const isLinked = (name: VariantParameter): name is Exclude<VariantParameter, "v"> => name !== "v";
const variantSchema = z
  .strictObject(Object.fromEntries(VARIANT_PARAMETERS.filter(isLinked).map((name) => [name, value])))
  .openapi("LinkedVariant", { description: "The parameters that a content URL takes in its query." });

const linkWishSchema = z
  .strictObject({
    expiresIn: z
      .int()
      .min(MIN_LINK_LIFE)
      .max(MAX_LINK_LIFE)
      .default(DEFAULT_LINK_LIFE)
      .openapi({ description: "Seconds for which the link works at the least; it may work for a quarter longer." }),
    variant: variantSchema.optional().openapi({ description: "The original without it." }),
  })
  .openapi("LinkRequest");

const linkSchema = z
  .strictObject({
    url: z.string().openapi({ description: "Absolute where the store knows its public URL, else a path and query." }),
    expiresAt: z.iso.datetime({ precision: 3 }),
  })
  .openapi("Link");

const create = route(
  {
    method: "POST",
    path: "/v1/albums/{album}/images/{image}/links",
    operationId: "createLink",
    right: "read",
    summary: "Make a link that needs no key",
    description:
      "To the bytes as they are now, or to a variant of them, until it expires. A variant beyond presets and widths of " +
      "the ladder needs the right `transform`. Nothing is stored: the same request gets the same link for a quarter of " +
      "its life, so `Idempotency-Key` has no meaning here. A link dies with the image, with its bytes, or with the key " +
      "that it was signed with.",
    tag: "Images",
    body: {
      schema: linkWishSchema,
      example: { expiresIn: 86_400, variant: { w: 800, format: "webp" } },
      optional: true,
    },
    responses: {
      200: answers("The link.", linkSchema, {
        url: "/v1/images/0192e4a1-1b2c-7d3e-8f40-5a6b7c8d9e0f/content/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08?w=800&format=webp&expires=1784129400&key=store&signature=kR0pVY3GxqOeY6Vb8VwXk0bD7jv1nJm4Y2TnP1rYt5A",
        expiresAt: "2026-07-15T15:30:00.000Z",
      }),
    },
    errors: ["album_not_found", "image_not_found", "invalid_variant", "variant_not_allowed"],
  },
  async ({ params, body, grant }, needs: LinkNeeds) => {
    const { expiresIn: life, variant = {} } = body;
    const wish = { album: params.album, name: params.image, life, variant, mayTransform: grant.may("transform") };
    const { target, expiresAt } = await createLink(needs, wish).catch(inBody);
    const url = `${needs.publicUrl ?? ""}${target}`;
    // Whoever has it is let in.
    return json(200, { url, expiresAt: new Date(expiresAt).toISOString() }, { "Cache-Control": "no-store" });
  },
);

/** What is wrong with a parameter of the variant is wrong with a member of the body. */
function inBody(error: unknown): never {
  if (!(error instanceof StoreError) || error.code !== "invalid_variant") throw error;
  const errors = error.errors.map(({ parameter, detail }) => ({ pointer: `/variant/${parameter}`, detail }));
  throw new StoreError(error.code, error.message, { errors });
}

export const linkRoutes: readonly Route<LinkNeeds>[] = [create];
