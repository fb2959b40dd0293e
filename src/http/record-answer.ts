import type { RecordVersion } from "../domain/change.ts";
import { evaluateRead, recordTag } from "./conditional.ts";
import { jsonText, type RouteRequest } from "./route.ts";

/**
 * A record with its ETag. A read that has it already gets 304.
 * @throws StoreError `precondition_failed` for a read
 */
export function answerRecord(
  request: RouteRequest,
  status: 200 | 201,
  record: RecordVersion,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const body = JSON.stringify(record);
  const etag = recordTag(record, body);
  const isRead = request.method === "GET" || request.method === "HEAD";
  if (isRead && evaluateRead(request.raw.headers, etag) === "not_modified") {
    return new Response(null, { status: 304, headers: { ETag: etag, "Cache-Control": "no-cache" } });
  }
  return jsonText(status, body, { ETag: etag, ...headers });
}
