import { type BatchOutcome, MAX_BATCH_OPERATIONS } from "../../domain/batch.ts";
import type { Caller } from "../../domain/caller.ts";
import { deserializeError, StoreError } from "../../domain/errors.ts";
import { type BatchDeps, type BatchWish, runBatch } from "../../operations/batches.ts";
import type { UploadMemory } from "../../operations/upload-memory.ts";
import { type BatchItem, batchResultSchema, batchSchema } from "../batch-schemas.ts";
import { fingerprint, readIdempotencyKey } from "../idempotency-key.ts";
import { readJsonBody } from "../json-body.ts";
import { problemBody, statusOf } from "../problem.ts";
import { writtenRecord } from "../record-answer.ts";
import { declaredSize } from "../request-body.ts";
import { answers, json, type Route, type RouteRequest, route } from "../route.ts";
import { albumFieldsOf } from "./albums.ts";
import { exampleImage } from "./images.ts";

export interface BatchRouteDeps extends BatchDeps {
  readonly limits: { readonly maxJson: number };
  readonly uploadMemory: Pick<UploadMemory, "hold">;
}

/** Of what other JSON bodies may have: a batch is many of them. */
const BODIES = 16;

const example = {
  atomic: true,
  operations: [
    { type: "createAlbum", body: { name: "Best of 2026" } },
    { type: "updateImage", album: "Summer 2026", image: "lake.jpg", body: { tags: ["lake"] } },
    { type: "moveImage", album: "Summer 2026", image: "lake.jpg", body: { album: "Best of 2026" } },
  ],
};

const run = route(
  {
    method: "POST",
    path: "/v1/batches",
    operationId: "runBatch",
    right: "any",
    oneOf: ["write", "delete"],
    summary: "Run many operations at once",
    description:
      `Runs at most ${MAX_BATCH_OPERATIONS} operations, in order and in one transaction: each sees the changes of those before it. Each has the checks, rights, ` +
      "conditions and errors of a request of its own. If `atomic` is true (default), the first operation that fails undoes the batch: the response " +
      "is its error, with its position, from 0, as `operation`. If it is false, an operation that fails leaves the others as they are. If an operation " +
      `is malformed, the store refuses the whole batch. The body may have ${BODIES} times the size of another JSON body (\`IMAGE_STORE_MAX_JSON\`). A batch ` +
      "that takes more than ten seconds is undone, with the error `busy`. A repeated request with the same `Idempotency-Key` gets the first response " +
      "again, unless that was an error; if the response has more than 4 MiB, a batch with a key is refused with `too_large`. Before it responds, the store deletes at most 20,000 images of deleted albums, divided equally among the " +
      "deletions. A larger album is gone at once too, and the store deletes the rest of its images afterwards.",
    tag: "Batches",
    streams: { "application/json": { schema: batchSchema, example } },
    requestHeaders: ["Idempotency-Key"],
    responses: {
      200: answers(
        "All operations succeeded: the outcome of each, in order.",
        batchResultSchema,
        {
          items: [
            {
              status: 200,
              etag: '"0192e4a1-1b2c-7d3e-8f40-5a6b7c8d9e0f.2.1x2y3z"',
              image: { ...exampleImage, revision: 2 },
            },
            { status: 204 },
          ],
        },
        ["Idempotent-Replayed"],
      ),
      207: answers(
        "If `atomic` is false and some operations failed: the outcome of each, in order.",
        batchResultSchema,
        {
          items: [
            { status: 204 },
            {
              status: 404,
              error: problemBody(
                new StoreError("image_not_found", "There is no such image."),
                "0192e4a0-7c1b-7d3e-9f00-4a5b6c7d8e9f",
              ),
            },
          ],
        },
        ["Idempotent-Replayed"],
      ),
    },
    errors: [
      "album_not_found",
      "image_not_found",
      "album_exists",
      "image_exists",
      "album_not_empty",
      "original_not_shared",
      "quota_exceeded",
      "precondition_failed",
      "request_in_progress",
      "idempotency_key_reused",
      "invalid_name",
      "empty_body",
      "too_large",
      "unsupported_media_type",
      "request_timeout",
      "digest_mismatch",
    ],
  },
  async (request, deps: BatchRouteDeps) => {
    const body = await readBatch(request.raw, deps);
    // Clients that send slowly take none.
    using slot = deps.batchSlots.take();
    const { atomic = true, operations } = body;
    const key = readIdempotencyKey(request);
    const { caller, replayed, value } = await runBatch(deps, {
      callerNow: () => request.callerNow(),
      traceparent: request.traceparent,
      atomic,
      operations: operations.map(toWish),
      idempotency: key && { ...key, fingerprint: fingerprint(request, body) },
    }).catch(inBody);
    const items = value.map((outcome, index) => toItem(request, caller, operations[index], outcome, index));
    const status = items.every(({ error }) => error === undefined) ? 200 : 207;
    return json(status, { items }, replayed ? { "Idempotent-Replayed": "true" } : {});
  },
);

/** While it comes, it counts in the memory of uploads: its chunks, and then their copy. */
async function readBatch(request: Request, { limits, uploadMemory }: BatchRouteDeps) {
  const maxBytes = BODIES * limits.maxJson;
  using held = uploadMemory.hold(2 * Math.min(declaredSize(request.headers) ?? maxBytes, maxBytes));
  const body = await readJsonBody(request, { schema: batchSchema, example }, maxBytes);
  return body as ReturnType<typeof batchSchema.parse>;
}

function toWish(item: BatchItem, index: number): BatchWish {
  const preconditions = "ifMatch" in item ? item.ifMatch : undefined;
  switch (item.type) {
    case "createAlbum":
      return { type: item.type, name: item.body.name, fields: albumFieldsOf(item.body) };
    case "putAlbum": {
      const { album: name, body = {} } = item;
      if (body.name !== undefined && body.name !== name) throw otherName(index);
      return { type: item.type, name, fields: albumFieldsOf(body), preconditions };
    }
    case "updateAlbum":
      return { type: item.type, name: item.album, patch: item.body, preconditions };
    case "deleteAlbum":
      return { type: item.type, name: item.album, recursive: item.recursive ?? false, preconditions };
    case "updateImage":
      return { type: item.type, album: item.album, name: item.image, patch: item.body, preconditions };
    case "deleteImage":
      return { type: item.type, album: item.album, name: item.image, preconditions };
    case "moveImage": {
      const { album, name, ifExists = "fail" } = item.body;
      const target = { album, name };
      return { type: item.type, album: item.album, name: item.image, target, ifExists, preconditions };
    }
    default:
      return item;
  }
}

const otherName = (index: number) =>
  new StoreError("invalid_request", "The name differs from `album`. Use updateAlbum to rename an album.", {
    errors: [{ pointer: `/operations/${index}/body/name`, detail: "must be absent or the name in `album`" }],
  });

/** @throws StoreError of an operation, said of the whole body */
function inBody(error: unknown): never {
  if (!(error instanceof StoreError)) throw error;
  const { operation } = error.members;
  if (typeof operation !== "number") throw error;
  const { code, message, members } = error;
  throw new StoreError(code, `Operation ${operation} failed, and nothing was done. ${message}`, {
    members,
    errors: errorsIn(error, operation),
  });
}

const errorsIn = ({ errors }: StoreError, index: number) =>
  errors.map((one) =>
    one.pointer === undefined ? one : { ...one, pointer: `/operations/${index}/body${one.pointer}` },
  );

function toItem(
  { requestId }: RouteRequest,
  caller: Caller,
  operation: BatchItem | undefined,
  outcome: BatchOutcome,
  index: number,
) {
  if ("error" in outcome) {
    const error = deserializeError(outcome.error);
    const { code, message, members } = error;
    const located = new StoreError(code, message, { members, errors: errorsIn(error, index) });
    return { status: statusOf(code), error: problemBody(located, requestId) };
  }
  const { created, record } = outcome;
  if (record === null) return { status: 204 };
  const status = created ? 201 : operation?.type === "describeImage" ? 202 : 200;
  const written = writtenRecord(caller, status, record);
  if (written.body === undefined) return { status: 204, etag: written.etag };
  return { status, etag: written.etag, ...("albumId" in record ? { image: record } : { album: record }) };
}

export const batchRoutes: readonly Route<BatchRouteDeps>[] = [run];
