import { z } from "@hono/zod-openapi";
import { encodeCursor } from "../../domain/event.ts";
import { deleteCursor, listCursors } from "../../operations/cursors.ts";
import type { Catalog } from "../../ports.ts";
import { answers, json, type Route, route } from "../route.ts";
import { cursorSchema } from "../schemas.ts";

export interface CursorNeeds {
  readonly catalog: Pick<Catalog, "cursors" | "write">;
}

const tag = "Events";

const durableCursorSchema = z
  .strictObject({
    name: z.string().openapi({ description: "The relay's is the topic." }),
    cursor: cursorSchema,
    lagEvents: z.int().min(0).openapi({ description: "Events that it has not passed." }),
    lagSeconds: z.number().min(0).openapi({ description: "Age of the oldest of those; 0 when there is none." }),
    updatedAt: z.iso.datetime({ precision: 3 }),
  })
  .openapi("DurableCursor");

const example = {
  name: "image-store.events",
  cursor: "MS4yOTUwMDMyMS4xMDQy",
  lagEvents: 0,
  lagSeconds: 0,
  updatedAt: "2026-07-14T09:30:00.000Z",
};

const list = route(
  {
    method: "GET",
    path: "/v1/cursors",
    operationId: "listCursors",
    right: "admin",
    summary: "List the durable readers of the log",
    description: "The log keeps what they have not passed.",
    tag,
    responses: {
      200: answers(
        "All of them.",
        z.strictObject({ items: z.array(durableCursorSchema) }).openapi("DurableCursorList"),
        { items: [example] },
      ),
    },
    errors: [],
  },
  async (_request, needs: CursorNeeds) => {
    const cursors = await listCursors(needs);
    return json(200, {
      items: cursors.map(({ seq, epoch, ...rest }) => ({ ...rest, cursor: encodeCursor({ epoch, seq }) })),
    });
  },
);

const remove = route(
  {
    method: "DELETE",
    path: "/v1/cursors/{name}",
    operationId: "deleteCursor",
    right: "admin",
    summary: "Give up a durable reader of the log",
    description:
      "Retention no longer waits for it. A relay that still runs begins again at the oldest event that is kept.",
    tag,
    responses: { 204: { description: "It is gone." } },
    errors: ["cursor_not_found"],
  },
  async (request, needs: CursorNeeds) => {
    await deleteCursor(needs, request.params.name);
    return new Response(null, { status: 204 });
  },
);

export const cursorRoutes: readonly Route<CursorNeeds>[] = [list, remove];
