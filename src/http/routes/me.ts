import { z } from "@hono/zod-openapi";
import { actorOf } from "../../domain/caller.ts";
import { toGrantRecord } from "../../domain/grant.ts";
import type { Limits } from "../../domain/limits.ts";
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from "../../domain/page.ts";
import { type QuotaDeps, quotasOn } from "../../operations/quotas.ts";
import { actorSchema, grantSchema, quotaSchema } from "../key-schemas.ts";
import { answers, json, type Route, route } from "../route.ts";

export interface MeRouteDeps extends QuotaDeps {
  readonly limits: Limits;
}

const size = (description: string) => z.int().min(1).openapi({ description });

const callerGrantSchema = z
  .strictObject({
    ...grantSchema.shape,
    mayAdd: z.boolean().optional().openapi({
      description: "Only in a share with `write`: the caller may add images, but not change or delete them.",
    }),
    originals: z.boolean().optional().openapi({
      description:
        "Only in a share without originals: `read` gives variants, and not the images as they were uploaded.",
    }),
  })
  .openapi("CallerGrant");

const meSchema = z
  .strictObject({
    caller: z
      .strictObject({
        kind: z.string().openapi({
          description:
            "`anonymous`: no credentials. `local`: a client of a store without keys. `key`, `token` and others.",
        }),
        id: z.string().nullable().openapi({ description: "Unique within the kind. Null for `local` and `anonymous`." }),
        name: z.string().nullable(),
        base: actorSchema.shape.base,
      })
      .openapi("Caller"),
    grants: z.array(callerGrantSchema).openapi({
      description: "Rights of the caller. In addition, every caller may read public albums.",
    }),
    expiresAt: z.iso
      .datetime({ precision: 3 })
      .nullable()
      .openapi({ description: "When the credentials expire; null if they do not." }),
    limits: z
      .strictObject({
        maxUploadBytes: size("Bytes of one image."),
        maxFormBytes: size("Bytes of a form."),
        maxFormFiles: size("Files in a form."),
        maxPixels: size("Pixels of an image, over all of its frames."),
        maxJsonBytes: size("Bytes of a JSON body."),
        defaultPageSize: size("Items in a page if `pageSize` is absent."),
        maxPageSize: size("Largest `pageSize`."),
      })
      .openapi("CallerLimits"),
    quotas: z.array(quotaSchema).openapi({
      description:
        "Quotas that limit uploads of the caller: those of its key and of the store, and of albums that a grant names by id. Empty for a " +
        "caller who must not upload.",
    }),
  })
  .openapi("Me");

const get = route(
  {
    method: "GET",
    path: "/v1/me",
    operationId: "getMe",
    right: "any",
    summary: "Get the caller and its rights",
    description:
      "Returns the caller that the store takes the client for, what it may do, and which limits hold. Needs no right and no credentials. " +
      "Credentials that are not valid are 401.",
    tag: "Access",
    responses: {
      200: answers(
        "The caller.",
        meSchema,
        {
          caller: { kind: "key", id: "6zqkP0aYH3cVbN1w", name: "web" },
          grants: [{ rights: ["read", "transform"], albums: { names: ["client-*"] } }],
          expiresAt: "2027-01-01T00:00:00.000Z",
          limits: {
            maxUploadBytes: 104_857_600,
            maxFormBytes: 1_073_741_824,
            maxFormFiles: 100,
            maxPixels: 100_000_000,
            maxJsonBytes: 1_048_576,
            defaultPageSize: DEFAULT_PAGE_SIZE,
            maxPageSize: MAX_PAGE_SIZE,
          },
          quotas: [],
        },
        ["Cache-Control"],
      ),
    },
    errors: [],
  },
  async ({ caller, identity: { expiresAt } }, { limits, ...deps }: MeRouteDeps) => {
    const { grants } = caller;
    const body = {
      caller: actorOf(caller),
      grants: grants.map((grant) => ({
        ...toGrantRecord(grant),
        ...(grant.mayAdd === true && { mayAdd: true }),
        ...(grant.originals === false && { originals: false }),
      })),
      expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
      limits: {
        maxUploadBytes: limits.maxUpload,
        maxFormBytes: limits.maxMultipart,
        maxFormFiles: limits.maxFiles,
        maxPixels: limits.maxPixels,
        maxJsonBytes: limits.maxJson,
        defaultPageSize: DEFAULT_PAGE_SIZE,
        maxPageSize: MAX_PAGE_SIZE,
      },
      quotas: await quotasOn(deps, caller),
    };
    return json(200, body, { "Cache-Control": "no-store" });
  },
);

export const meRoutes: readonly Route<MeRouteDeps>[] = [get];
