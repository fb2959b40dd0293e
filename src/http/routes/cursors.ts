import { z } from "@hono/zod-openapi";
import { type DurableCursor, encodeCursor } from "../../domain/event.ts";
import { deleteCursor, listCursors, rewindCursor } from "../../operations/cursors.ts";
import type { RequestCatalog } from "../../operations/request-catalog.ts";
import { cursorSchema, logPointParameter } from "../listing-schemas.ts";
import { answers, json, type Route, route } from "../route.ts";

export interface CursorRouteDeps {
  readonly catalog: Pick<RequestCatalog, "cursors" | "write">;
}

const tag = "Events";

const durableCursorSchema = z
  .strictObject({
    name: z.string().openapi({ description: "The relay's cursor has the name of the Kafka topic." }),
    cursor: cursorSchema,
    lagEvents: z
      .int()
      .min(0)
      .openapi({ description: "Number of events after the cursor, including events that no reader sees yet." }),
    lagSeconds: z
      .number()
      .min(0)
      .openapi({ description: "Age of the oldest of these events in seconds; 0 if there are none." }),
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
    description: "The log keeps the events that a durable reader has not passed.",
    tag,
    responses: {
      200: answers(
        "All durable readers.",
        z.strictObject({ items: z.array(durableCursorSchema) }).openapi("DurableCursorList"),
        { items: [example] },
      ),
    },
    errors: [],
  },
  async ({ caller }, deps: CursorRouteDeps) => {
    const cursors = await listCursors(deps, caller);
    return json(200, { items: cursors.map(answerCursor) });
  },
);

const answerCursor = ({ name, seq, epoch, lagEvents, lagSeconds, updatedAt }: DurableCursor) => ({
  name,
  cursor: encodeCursor({ epoch, seq }),
  lagEvents,
  lagSeconds,
  updatedAt,
});

const remove = route(
  {
    method: "DELETE",
    path: "/v1/cursors/{name}",
    operationId: "deleteCursor",
    right: "admin",
    summary: "Delete a durable reader of the log",
    description:
      "Retention no longer waits for the reader. A relay that still runs begins again within a second, at the oldest event of the log, " +
      "and then sends new events.",
    tag,
    responses: { 204: { description: "The durable reader was deleted." } },
    errors: ["cursor_not_found", "cursor_of_webhook"],
  },
  async ({ caller, params }, deps: CursorRouteDeps) => {
    await deleteCursor(deps, { caller, name: params.name });
    return new Response(null, { status: 204 });
  },
);

const rewindSchema = z
  .strictObject({
    to: logPointParameter(
      "A cursor: the reader reads again what follows it. Or a time (RFC 3339): the reader reads again the events since then.",
    ),
  })
  .openapi("CursorRewind");

const rewind = route(
  {
    method: "POST",
    path: "/v1/cursors/{name}/rewind",
    operationId: "rewindCursor",
    right: "admin",
    summary: "Rewind a durable reader of the log",
    description:
      "The relay publishes the events behind the position again, in their order, and then new ones; it notices within a second. A reader that " +
      "has not passed the position yet stays where it is.",
    tag,
    body: { schema: rewindSchema, example: { to: "2026-07-14T09:30:00Z" } },
    responses: { 200: answers("The durable reader at its new position.", durableCursorSchema, example) },
    errors: ["cursor_not_found", "cursor_of_webhook", "cursor_unknown", "cursor_expired"],
  },
  async ({ caller, params, body, traceparent }, deps: CursorRouteDeps) =>
    json(200, answerCursor(await rewindCursor(deps, { caller, name: params.name, to: body.to, traceparent }))),
);

export const cursorRoutes: readonly Route<CursorRouteDeps>[] = [list, remove, rewind];
