import { z } from "@hono/zod-openapi";
import { StoreError } from "../../domain/errors.ts";
import {
  cloudEventJson,
  decodeCursor,
  EVENT_TYPES,
  type EventType,
  encodeCursor,
  type LogPosition,
  parseEventType,
} from "../../domain/event.ts";
import { type EventPage, type EventReader, followEvents, listEvents } from "../../operations/events.ts";
import { negotiate } from "../negotiation.ts";
import { jsonText, type Route, route } from "../route.ts";
import { albumSchema, cursorSchema, imageSchema, integerParameter } from "../schemas.ts";
import { formatPage, HEARTBEAT, streamChunks } from "../sse.ts";

export interface EventNeeds extends EventReader {
  /** A gauge of open streams. */
  readonly sseClients: { inc(): void; dec(): void };
  /** Between two signs of life of a stream, in milliseconds. */
  readonly heartbeat?: number;
}

const tag = "Events";
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;
const MAX_WAIT_SECONDS = 30;
/** Events are under 32 KiB, so that a stream holds less than 1 MiB for its reader. */
const STREAM_LIMIT = 32;

const JSON_TYPE = "application/json";
const BATCH_TYPE = "application/cloudevents-batch+json";
const STREAM_TYPE = "text/event-stream";

const why = {
  reason: z.enum(["user", "album-deleted", "described"]),
  previousName: z.string().optional().openapi({ description: "On a rename." }),
};
const eventDataSchema = z
  .union([
    z.strictObject({ ...albumSchema.shape, ...why }).openapi("AlbumEventData"),
    z.strictObject({ ...imageSchema.shape, ...why }).openapi("ImageEventData"),
  ])
  .openapi({ description: "The record after the change, or the last that is known of what was deleted." });
const cloudEventSchema = z
  .strictObject({
    specversion: z.literal("1.0"),
    id: z.uuid().openapi({ description: "The same however often it is delivered." }),
    source: z.string(),
    type: z.enum(EVENT_TYPES),
    subject: z.string(),
    time: z.iso.datetime({ precision: 3 }),
    datacontenttype: z.literal(JSON_TYPE),
    partitionkey: z.uuid().openapi({ description: "The album's id. Events with the same key keep their order." }),
    sequence: z
      .string()
      .regex(/^\d{20}$/)
      .openapi({ description: "Text order is log order." }),
    traceparent: z.string().optional().openapi({ description: "W3C trace context of the request behind it." }),
    data: eventDataSchema,
  })
  .openapi("CloudEvent", { description: "CloudEvents 1.0." });

const albumId = "0192e4a0-7c1b-7d3e-9f00-4a5b6c7d8e9f";
const example = {
  specversion: "1.0",
  id: "0192e4a0-8f10-7aa1-8c11-0d9e8f7a6b5c",
  source: "/image-store/0192e49f-0000-7000-8000-00000000beef",
  type: "imagestore.album.created",
  subject: `albums/${albumId}`,
  time: "2026-07-14T09:30:00.000Z",
  datacontenttype: JSON_TYPE,
  partitionkey: albumId,
  sequence: "29500321000000001042",
  data: {
    id: albumId,
    name: "Summer 2026",
    title: null,
    description: null,
    metadata: {},
    imageCount: 0,
    revision: 1,
    createdAt: "2026-07-14T09:30:00.000Z",
    updatedAt: "2026-07-14T09:30:00.000Z",
    reason: "user",
  },
};
const exampleCursor = "MS4yOTUwMDMyMS4xMDQy";

const typesParameter = z
  .array(
    z.string().transform((list, context) => {
      const types: EventType[] = [];
      for (const text of list.split(",")) {
        const type = parseEventType(text);
        if (type !== undefined) types.push(type);
        else context.addIssue({ code: "custom", message: `is none of ${EVENT_TYPES.join(", ")}` });
      }
      return types;
    }),
  )
  .optional()
  .openapi({
    type: "array",
    items: { type: "string" },
    description:
      "Events of these types only; `image.created` stands for `imagestore.image.created`. Repeat, or separate by commas.",
    example: ["image.created", "image.deleted"],
  });

const selection = {
  after: z
    .string()
    .optional()
    .openapi({
      description:
        "A `nextCursor`, `watermark` or event id of a stream; `latest` for what comes from now on. Absent: from the oldest event that is kept. " +
        "What is no cursor of this log, or no cursor at all, is 410 `cursor_unknown`: take a listing and follow from its watermark.",
    }),
  type: typesParameter,
  albumId: z.uuid().toLowerCase().optional().openapi({ description: "Events of this album and its images only." }),
};

const list = route(
  {
    method: "GET",
    path: "/v1/events",
    operationId: "listEvents",
    right: "read",
    summary: "Read the log of changes",
    description:
      "Delivery is at least once: `id` tells an event that came before. `nextCursor` moves on past what the filter left out too, " +
      "also when there are no items.",
    tag,
    query: z.strictObject({
      ...selection,
      limit: integerParameter(1, MAX_LIMIT)
        .optional()
        .openapi({ type: "integer", minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT }),
      wait: integerParameter(0, MAX_WAIT_SECONDS).optional().openapi({
        type: "integer",
        minimum: 0,
        maximum: MAX_WAIT_SECONDS,
        default: 0,
        description: "Seconds to wait for an event when there is none yet.",
      }),
    }),
    responses: {
      200: {
        description: "Events, oldest first.",
        headers: ["Link"],
        content: {
          [JSON_TYPE]: {
            schema: z.strictObject({ items: z.array(cloudEventSchema), nextCursor: cursorSchema }).openapi("EventPage"),
            example: { items: [example], nextCursor: exampleCursor },
          },
          [BATCH_TYPE]: { schema: z.array(cloudEventSchema), example: [example] },
        },
      },
    },
    errors: ["cursor_unknown", "cursor_expired", "not_acceptable"],
  },
  async (request, needs: EventNeeds) => {
    const contentType = negotiate(request.raw.headers.get("accept"), [JSON_TYPE, BATCH_TYPE]);
    const { after, limit = DEFAULT_LIMIT, wait = 0, ...filter } = request.query;
    const page = await listEvents(
      needs,
      { ...readSelection(filter, after), limit, wait: wait * 1000 },
      wait === 0 ? [] : [request.signal, request.stopping],
    );
    const nextCursor = encodeCursor(page.next);
    const search = new URLSearchParams(request.search);
    search.set("after", nextCursor);
    return jsonText(200, contentType === JSON_TYPE ? pageJson(page, nextCursor) : eventsJson(page), {
      "Content-Type": contentType,
      Link: `<${request.path}?${search.toString()}>; rel="next"`,
    });
  },
);

const stream = route(
  {
    method: "GET",
    path: "/v1/events/stream",
    operationId: "streamEvents",
    right: "read",
    summary: "Follow the log of changes",
    description:
      "Server-sent events: `event` is the type, `data` the CloudEvent, `id` a cursor. A comment every 15 seconds keeps the line open. " +
      "The server may end the stream at any time, and does so to readers that take nothing: reconnect, as EventSource does by itself, and it goes on.",
    tag,
    query: z.strictObject(selection),
    requestHeaders: ["Last-Event-ID"],
    responses: {
      200: {
        description: "A stream without an end.",
        content: {
          [STREAM_TYPE]: {
            schema: "text",
            example: `id: ${exampleCursor}\nevent: ${example.type}\ndata: ${JSON.stringify(example)}\n\n`,
          },
        },
      },
    },
    errors: ["cursor_unknown", "cursor_expired", "not_acceptable"],
  },
  async (request, needs: EventNeeds) => {
    const { headers } = request.raw;
    negotiate(headers.get("accept"), [STREAM_TYPE]);
    const { heartbeat = HEARTBEAT, sseClients } = needs;
    const { after, ...filter } = request.query;
    const start = readSelection(filter, headers.get("last-event-id") || after);
    const left = new AbortController();
    const signals = [left.signal, request.signal, request.stopping];
    const pages = followEvents(needs, { ...start, limit: STREAM_LIMIT, heartbeat }, signals);
    // Before the status is sent, so that a cursor that is refused has one.
    const first = await pages.next();
    const answer = { headers: { "Content-Type": STREAM_TYPE, "Cache-Control": "no-cache" } };
    if (request.method === "HEAD" || first.done) {
      await pages.return(undefined);
      return new Response(null, answer);
    }
    sseClients.inc();
    const body = streamChunks(format(first.value, pages), {
      patience: heartbeat,
      onEnd: () => {
        sseClients.dec();
        left.abort();
      },
    });
    return new Response(body, answer);
  },
);

async function* format(first: EventPage, rest: AsyncIterable<EventPage>): AsyncGenerator<string> {
  yield formatPage(first);
  for await (const page of rest) yield formatPage(page);
}

function readSelection(
  filter: { type?: EventType[][] | undefined; albumId?: string | undefined },
  after: string | undefined,
) {
  return { after: readCursor(after), types: filter.type?.flat(), albumId: filter.albumId };
}

function readCursor(text: string | undefined): LogPosition | "latest" | undefined {
  if (text === undefined || text === "latest") return text;
  const position = decodeCursor(text);
  if (position === undefined) throw new StoreError("cursor_unknown", "This is not a cursor of this log.");
  return position;
}

const eventsJson = ({ events }: EventPage): string => `[${events.map(({ event }) => cloudEventJson(event)).join(",")}]`;

const pageJson = (page: EventPage, nextCursor: string): string =>
  `{"items":${eventsJson(page)},"nextCursor":${JSON.stringify(nextCursor)}}`;

export const eventRoutes: readonly Route<EventNeeds>[] = [list, stream];
