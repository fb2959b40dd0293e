import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** One answered request, as the HTTP server tells it. */
interface AnsweredRequest {
  readonly operationId: string | undefined;
  readonly method: string;
  /** As sent, without the query, which may hold a signature. */
  readonly path: string;
  readonly status: number;
  readonly seconds: number;
  readonly requestBytes: number | undefined;
  readonly responseBytes: number | undefined;
  readonly requestId: string;
  readonly principal: string | undefined;
}

const MAX_LOGGED_PATH = 1024;
/** Of a link whose `?` somebody escaped: out of the log it would work once mended. */
const SIGNATURE = /(signature(?:=|%(?:25)*3d)).*/i;
const NOT_PRINTABLE = /[^\u0021-\u007e]+/gu;

/** One log line and the metrics of each request. Runs for every answer: see that it stays a few microseconds. */
export function observeRequests(
  logger: Logger,
  metrics: Pick<Metrics, "requestDuration" | "receivedBytes" | "sentBytes">,
) {
  return {
    onResponse(request: AnsweredRequest): void {
      // Requests that no route answers have paths without bound, so they share a label.
      const operation = request.operationId ?? "none";
      metrics.requestDuration.add(operation, request.status, request.seconds);
      if (request.requestBytes) metrics.receivedBytes.inc({ operation }, request.requestBytes);
      if (request.responseBytes) metrics.sentBytes.inc({ operation }, request.responseBytes);
      const level = request.status >= 500 ? "warn" : "info";
      if (!logger.isLevelEnabled(level)) return;
      logger[level](
        {
          requestId: request.requestId,
          method: request.method,
          operation,
          path: printable(request.path),
          status: request.status,
          ms: Math.round(request.seconds * 1e6) / 1000,
          bytesIn: request.requestBytes,
          bytesOut: request.responseBytes,
          principal: request.principal,
        },
        "request",
      );
    },

    onError(error: unknown, request: { requestId: string; operationId: string | undefined }): void {
      logger.error({ error, requestId: request.requestId, operation: request.operationId }, "request failed");
    },
  };
}

/** Raw bytes in a request line could turn a terminal's text around. */
const printable = (path: string): string =>
  path.slice(0, MAX_LOGGED_PATH).replace(SIGNATURE, "$1***").toWellFormed().replace(NOT_PRINTABLE, encodeURIComponent);
