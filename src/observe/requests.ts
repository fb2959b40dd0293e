import { type DestinationStream, symbols } from "pino";
import type { TokenRefusal } from "../domain/token.ts";
import { createErrorReporter } from "./errors.ts";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** A request with its response, as the HTTP server reports it. */
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
  readonly refusedToken?: Pick<TokenRefusal, "kid" | "issuer"> | undefined;
  /** Why the client was not let in, in one word. */
  readonly reason?: string | undefined;
  readonly client: string | undefined;
}

const MAX_LOGGED_PATH = 1024;
/** The signature in the path of a link whose `?` was escaped: unescaped, the logged link would work. */
const SIGNATURE = /(signature(?:=|%(?:25)*3d)).*/i;
/**
 * The secrets that the store makes, in a path or escaped in one, and all of a segment where one belongs: what was cut off or
 * mistyped may be easy to complete.
 */
const SECRETS = /(img(?:st|tk|sh|se)(?:_|%(?:25)*5f)\w{16}(?:_|%(?:25)*5f))\w+|(^\/s\/|\/uploads\/)[^/]+/gi;
const NOT_PRINTABLE = /[^\u0021-\u007e]+/gu;

/** One log line and the metrics of each request. Runs for every response, so it must stay within a few microseconds. */
export function observeRequests(
  logger: Logger,
  metrics: Pick<Metrics, "requestDuration" | "receivedBytes" | "sentBytes">,
) {
  const report = createErrorReporter();
  const destination = (logger as Logger & { readonly [symbols.streamSym]: DestinationStream })[symbols.streamSym];
  return {
    onResponse(request: AnsweredRequest): void {
      // Requests without a route share a label: their paths are unbounded.
      const operation = request.operationId ?? "none";
      metrics.requestDuration.observe(operation, request.status, request.seconds);
      if (request.requestBytes) metrics.receivedBytes.inc({ operation }, request.requestBytes);
      if (request.responseBytes) metrics.sentBytes.inc({ operation }, request.responseBytes);
      const level = request.status >= 500 ? "warn" : "info";
      if (logger.isLevelEnabled(level)) destination.write(formatLine(request, operation, logger.levels.values[level]));
    },

    onError(error: unknown, request: { requestId: string; operationId: string | undefined }): void {
      logger.error(
        { ...report(error), requestId: request.requestId, operation: request.operationId },
        "request failed",
      );
    },
  };
}

/**
 * The line as pino would write it, whose general way costs three times as much. Only what the store itself chose, or has checked,
 * needs no quotes.
 */
function formatLine(request: AnsweredRequest, operation: string, level: number | undefined): string {
  const { client, principal, reason, refusedToken, requestBytes, responseBytes, seconds, status } = request;
  const bytesIn = requestBytes === undefined ? "" : `,"bytesIn":${JSON.stringify(requestBytes)}`;
  const bytesOut = responseBytes === undefined ? "" : `,"bytesOut":${responseBytes}`;
  const token = refusedToken === undefined ? "" : `,"token":${JSON.stringify(describeToken(refusedToken))}`;
  return (
    `{"level":${level},"time":${Date.now()},"requestId":${quote(request.requestId)},"method":"${request.method}",` +
    `"operation":"${operation}","path":${quotedPath(request.path)},"status":${status},"ms":${Math.round(seconds * 1e6) / 1000}` +
    `${bytesIn}${bytesOut}${member("principal", principal)}${token}${member("reason", reason)}` +
    `${member("client", client)},"msg":"request"}\n`
  );
}

const member = (name: string, text: string | undefined): string =>
  text === undefined ? "" : `,"${name}":${quote(text)}`;

/** What most ids and addresses are. To test that costs a tenth of `JSON.stringify`. */
const WITHOUT_ESCAPES = /^[\w.:~+/=-]*$/;
const quote = (text: string): string => (WITHOUT_ESCAPES.test(text) ? `"${text}"` : JSON.stringify(text));

/** What most paths are: nothing to hide, and nothing to escape. */
const PLAIN = /^(?!\/s\/)[!#-[\]-~]*$/;
const MAY_HIDE = /signature|img(?:st|tk|sh|se)|\/uploads\//i;

const quotedPath = (path: string): string =>
  path.length <= MAX_LOGGED_PATH && PLAIN.test(path) && !MAY_HIDE.test(path)
    ? `"${path}"`
    : JSON.stringify(printable(path));

/** Never the token: a reader of the log could use one that only this store refuses. */
const describeToken = ({ kid, issuer }: Pick<TokenRefusal, "kid" | "issuer">) => ({ kid, iss: issuer });

/** Raw bytes in a request line could send control sequences to a terminal. */
const printable = (path: string): string =>
  path
    .slice(0, MAX_LOGGED_PATH)
    .replace(SIGNATURE, "$1***")
    .replace(SECRETS, "$1$2***")
    .toWellFormed()
    .replace(NOT_PRINTABLE, encodeURIComponent);
