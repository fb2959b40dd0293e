import { z } from "@hono/zod-openapi";
import { decodeCursor } from "../domain/event.ts";
import { MAX_NAME_BYTES } from "../domain/names.ts";
import { ALBUM_ORDERS, DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, type OrderBy } from "../domain/page.ts";
import { cleanText } from "./schemas.ts";

/** An opaque position in the event log. */
export const cursorSchema = z.string().openapi({ description: "An opaque position in the event log." });

const TIME = z.iso.datetime({ offset: true });
/** A place in the log, by a cursor or by a time. */
export const logPointParameter = (description: string) =>
  z
    .string()
    .max(100)
    .transform((text, context) => {
      const position = decodeCursor(text);
      if (position !== undefined) return position;
      if (TIME.safeParse(text).success) return { time: Date.parse(text) };
      context.addIssue({ code: "custom", message: "must be a cursor, or a time such as 2026-07-14T09:30:00Z" });
      return z.NEVER;
    })
    .openapi({ type: "string", maxLength: 100, description });

export const pageOf = (item: z.ZodType, name: string) =>
  z
    .strictObject({
      items: z.array(item),
      nextPageToken: z.string().optional().openapi({
        description: "Absent on the last page only. With filters a page may be short or empty and still have a token.",
      }),
      watermark: cursorSchema.openapi({
        description: "The position in the event log that this listing reflects. Follow /v1/events from here.",
      }),
    })
    .openapi(name);

/** A decimal integer in a query. */
export const integerParameter = (minimum: number, maximum: number) =>
  z
    .string()
    .refine(
      (text) => /^\d{1,15}$/.test(text) && Number(text) >= minimum && Number(text) <= maximum,
      `must be a whole number from ${minimum} to ${maximum}`,
    )
    .transform(Number)
    .openapi({ type: "integer", minimum, maximum });

/** `true` or `false` in a query. */
export const booleanParameter = () =>
  z
    .enum(["true", "false"])
    .transform((text) => text === "true")
    .openapi({ type: "boolean" });

/** Text in a query that is compared with stored text. */
export const textParameter = () => cleanText();

export const orderParameter = <By extends OrderBy>(orders: readonly By[]) =>
  z.enum(orders).optional().openapi({ default: "name", description: "`-` sorts in descending order." });

/** What every listing takes; spread it into the route's own query. */
export const pageParameters = {
  pageSize: integerParameter(1, MAX_PAGE_SIZE)
    .optional()
    .openapi({ type: "integer", minimum: 1, maximum: MAX_PAGE_SIZE, default: DEFAULT_PAGE_SIZE }),
  pageToken: z.string().optional().openapi({ description: "`nextPageToken` of the previous page." }),
  orderBy: orderParameter(ALBUM_ORDERS),
  // Names are compared in NFC, and so are the beginnings of them.
  q: textParameter()
    .transform((text) => text.normalize("NFC"))
    .optional()
    .openapi({ maxLength: MAX_NAME_BYTES, description: "A case-sensitive prefix of the name." }),
};
