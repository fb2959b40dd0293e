import { z } from "@hono/zod-openapi";
import type { Caller } from "../../domain/caller.ts";
import { StoreError } from "../../domain/errors.ts";
import {
  cloudEventJson,
  decodeCursor,
  EVENT_TYPES,
  type EventType,
  encodeCursor,
  type LogPosition,
  parseEventType,
  SHORT_EVENT_TYPES,
} from "../../domain/event.ts";
import { listChoices, quote } from "../../domain/wording.ts";
import { type BeforeEnd, type EventPage, type EventReader, followEvents, listEvents } from "../../operations/events.ts";
import type { AccessWatch } from "../access-watch.ts";
import { cloudEventSchema, exampleCursor, exampleEvent } from "../event-schemas.ts";
import { cursorSchema, integerParameter } from "../listing-schemas.ts";
import { negotiate } from "../negotiation.ts";
import { answers, jsonText, type Route, type RouteRequest, route } from "../route.ts";
import { formatPage, HEARTBEAT, streamChunks } from "../sse.ts";

export interface EventRouteDeps extends EventReader {
  /** A gauge of open streams. */
  readonly sseClients: { inc(): void; dec(): void };
  /** Between two signs of life of a stream, in milliseconds. */
  readonly heartbeat?: number;
}

const tag = "Events";
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;
const MAX_WAIT_SECONDS = 30;
const MAX_DURATION_SECONDS = 86_400;
/** Events are under 32 KiB, so that a stream holds less than 1 MiB for its reader. */
const STREAM_LIMIT = 32;

const JSON_TYPE = "application/json";
const BATCH_TYPE = "application/cloudevents-batch+json";
const STREAM_TYPE = "text/event-stream";
const STREAM_HEADERS = {
  "Content-Type": STREAM_TYPE,
  "Cache-Control": "no-cache",
  Vary: "Accept",
  "X-Accel-Buffering": "no",
};

const typesParameter = z
  .array(
    z.string().transform((list, context) => {
      const types: EventType[] = [];
      for (const text of list.split(",")) {
        const type = parseEventType(text);
        if (type !== undefined) types.push(type);
        else
          context.addIssue({
            code: "custom",
            message: `must be ${listChoices(SHORT_EVENT_TYPES)}, not ${quote(text)}`,
          });
      }
      return types;
    }),
  )
  .optional()
  .openapi({
    type: "array",
    items: { type: "string", enum: EVENT_TYPES.flatMap((type) => [type, type.replace("imagestore.", "")]) },
    description:
      "Only events of these types, repeated or separated by commas. `image.created` stands for `imagestore.image.created`.",
  });

const listErrors = ["cursor_unknown", "cursor_expired", "not_acceptable"] as const;
const selection = {
  after: z
    .string()
    .optional()
    .openapi({
      description:
        "A `nextCursor`, a `watermark` or an event id of a stream; `latest` for events from now on; `latest-50` for the last 50 events and those from now on, " +
        "where events that the filter leaves out count too. Without it the log is read from its oldest event. " +
        "A value that is not a cursor of this log is 410 `cursor_unknown`: read a listing, and follow the log from its watermark.",
    }),
  type: typesParameter,
  albumId: z.uuid().toLowerCase().optional().openapi({ description: "Only events of this album and its images." }),
};

const listQuery = z.strictObject({
  ...selection,
  limit: integerParameter(1, MAX_LIMIT)
    .optional()
    .openapi({ type: "integer", minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT }),
  wait: integerParameter(0, MAX_WAIT_SECONDS).optional().openapi({
    type: "integer",
    minimum: 0,
    maximum: MAX_WAIT_SECONDS,
    default: 0,
    description: "Seconds to wait for an event when there is none.",
  }),
});
type ListRequest = RouteRequest<unknown, z.output<typeof listQuery>>;

const list = route(
  {
    method: "GET",
    path: "/v1/events",
    operationId: "listEvents",
    right: "events",
    summary: "Read the log of changes",
    description:
      "Events are delivered at least once; a repeated event has the same `id`. `nextCursor` also passes events that the filter left out, " +
      "even when there are no items.",
    tag,
    query: listQuery,
    alternatives: { [BATCH_TYPE]: { verb: "returns", operationId: "listEventBatch" } },
    responses: {
      200: answers(
        "The events, oldest first.",
        z.strictObject({ items: z.array(cloudEventSchema), nextCursor: cursorSchema }).openapi("EventPage"),
        { items: [exampleEvent], nextCursor: exampleCursor },
        ["Link", "Vary"],
      ),
    },
    errors: listErrors,
  },
  (request, deps: EventRouteDeps) => answerEvents(request, deps, [JSON_TYPE, BATCH_TYPE]),
);

const listBatch = route(
  {
    method: "GET",
    path: "/v1/events/batch",
    operationId: "listEventBatch",
    right: "events",
    summary: "Read the log of changes as batches of CloudEvents",
    description:
      "Same as `listEvents`, in the JSON batch format of CloudEvents. `Link` names the next batch, even when this one is empty.",
    tag,
    query: listQuery,
    responses: {
      200: {
        description: "The events, oldest first.",
        headers: ["Link", "Vary"],
        content: { [BATCH_TYPE]: { schema: z.array(cloudEventSchema), example: [exampleEvent] } },
      },
    },
    errors: listErrors,
  },
  (request, deps: EventRouteDeps) => answerEvents(request, deps, [BATCH_TYPE]),
);

async function answerEvents(request: ListRequest, deps: EventRouteDeps, offered: readonly string[]): Promise<Response> {
  const contentType = negotiate(request.raw.headers.get("accept"), offered);
  const { after, limit = DEFAULT_LIMIT, wait = 0, ...filter } = request.query;
  using access = wait === 0 ? undefined : request.watchAccess();
  const page = await listEvents(
    deps,
    { ...readSelection(request.caller, filter, after), limit, wait: wait * 1000 },
    access === undefined ? [] : [request.signal, request.stopping, access.signal],
  );
  await access?.confirm();
  if (access?.signal.reason instanceof StoreError) throw access.signal.reason;
  const nextCursor = encodeCursor(page.next);
  const search = new URLSearchParams(request.search);
  search.set("after", nextCursor);
  return jsonText(200, contentType === BATCH_TYPE ? eventsJson(page) : pageJson(page, nextCursor), {
    "Content-Type": contentType,
    Vary: "Accept",
    Link: `<${request.path}?${search.toString()}>; rel="next"`,
  });
}

const stream = route(
  {
    method: "GET",
    path: "/v1/events/stream",
    operationId: "streamEvents",
    right: "events",
    summary: "Follow the log of changes",
    description:
      "Server-sent events: `event` is the type, `data` the CloudEvent, `id` a cursor. A comment every 15 seconds keeps the connection open. " +
      "The server may end the stream at any time, and ends it when the client stops reading or its access ends. EventSource reconnects and resumes by itself.",
    tag,
    query: z.strictObject({
      ...selection,
      duration: integerParameter(1, MAX_DURATION_SECONDS).optional().openapi({
        type: "integer",
        minimum: 1,
        maximum: MAX_DURATION_SECONDS,
        description: "Seconds after which the stream ends. Without it the stream does not end.",
        example: 3,
      }),
    }),
    requestHeaders: ["Last-Event-ID"],
    responses: {
      200: {
        description: "The stream of events.",
        headers: ["Vary", "X-Accel-Buffering"],
        content: {
          [STREAM_TYPE]: {
            schema: "text",
            example: `id: ${exampleCursor}\nevent: ${exampleEvent.type}\ndata: ${JSON.stringify(exampleEvent)}\n\n`,
          },
        },
      },
    },
    errors: listErrors,
  },
  async (request, deps: EventRouteDeps) => {
    const { headers } = request.raw;
    negotiate(headers.get("accept"), [STREAM_TYPE]);
    const { heartbeat = HEARTBEAT, sseClients } = deps;
    const { after, duration, ...filter } = request.query;
    const start = readSelection(request.caller, filter, headers.get("last-event-id") || after);
    const left = new AbortController();
    const access = request.watchAccess();
    const signals = [left.signal, request.signal, request.stopping, access.signal];
    if (duration !== undefined) signals.push(AbortSignal.timeout(duration * 1000));
    const pages = followEvents(deps, { ...start, limit: STREAM_LIMIT, heartbeat }, signals);
    // Before the status is sent, so that a cursor that is refused has one.
    const first = await pages.next().catch((error: unknown) => {
      access[Symbol.dispose]();
      throw error;
    });
    const answer = { headers: STREAM_HEADERS };
    if (request.method === "HEAD" || first.done) {
      access[Symbol.dispose]();
      await pages.return(undefined);
      return new Response(null, answer);
    }
    sseClients.inc();
    const body = streamChunks(format(first.value, pages, access), {
      patience: heartbeat,
      onEnd: () => {
        sseClients.dec();
        left.abort();
        access[Symbol.dispose]();
      },
    });
    return new Response(body, answer);
  },
);

async function* format(first: EventPage, rest: AsyncIterable<EventPage>, access: AccessWatch): AsyncGenerator<string> {
  yield formatPage(first);
  for await (const page of rest) {
    // What was read just before the access ended is not sent any more.
    await access.confirm();
    if (access.signal.aborted) return;
    yield formatPage(page);
  }
}

function readSelection(
  caller: Caller,
  filter: { type?: EventType[][] | undefined; albumId?: string | undefined },
  after: string | undefined,
) {
  return { caller, after: readCursor(after), types: filter.type?.flat(), albumId: filter.albumId };
}

const BEFORE_END = /^latest(?:-([1-9]\d{0,8}))?$/;

function readCursor(text: string | undefined): LogPosition | BeforeEnd | undefined {
  if (text === undefined) return undefined;
  const [latest, count = 0] = BEFORE_END.exec(text) ?? [];
  if (latest !== undefined) return { beforeEnd: Number(count) };
  const position = decodeCursor(text);
  if (position === undefined) throw new StoreError("cursor_unknown", "The cursor is not of this log.");
  return position;
}

const eventsJson = ({ events }: EventPage): string => `[${events.map(({ event }) => cloudEventJson(event)).join(",")}]`;

const pageJson = (page: EventPage, nextCursor: string): string =>
  `{"items":${eventsJson(page)},"nextCursor":${JSON.stringify(nextCursor)}}`;

export const eventRoutes: readonly Route<EventRouteDeps>[] = [list, listBatch, stream];
