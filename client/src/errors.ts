/** One field, parameter or file of a request that was refused. */
export interface Refused {
  readonly detail: string;
  /** JSON pointer into the body. */
  readonly pointer?: string;
  /** Name of a query parameter or a header. */
  readonly parameter?: string;
  /** Of a file: its code, its name and its place among the files. */
  readonly code?: string;
  readonly name?: string;
  readonly index?: number;
}

/** Codes that the client itself gives; every other code is the store's and is listed in its openapi.json. */
export type ClientErrorCode = "unreachable" | "unexpected_response" | "no_record";

/**
 * The only error that a call rejects with, besides the reason of its signal. `status` is 0 where no answer came
 * (`unreachable`). Where a proxy or another server answered instead of the store, `code` is `unexpected_response`.
 */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly status: number;
  /** Stable: decide by it and not by the message. */
  readonly code: ClientErrorCode | (string & {});
  /** Of the answer; the store's log has it. */
  readonly requestId: string | undefined;
  readonly errors: readonly Refused[];
  /** The problem document as it came, with members such as `missing` or `oldestCursor`. */
  readonly problem: Readonly<Record<string, unknown>>;

  constructor(
    message: string,
    given: {
      readonly status: number;
      readonly code: string;
      readonly requestId?: string | undefined;
      readonly problem?: Readonly<Record<string, unknown>>;
      readonly cause?: unknown;
    },
  ) {
    super(message, given.cause === undefined ? undefined : { cause: given.cause });
    this.status = given.status;
    this.code = given.code;
    this.requestId = given.requestId;
    this.problem = given.problem ?? {};
    const { errors } = this.problem;
    this.errors = Array.isArray(errors) ? (errors as Refused[]) : [];
  }
}

/** The error that an answer stands for. Reads its body. */
export async function errorOf(response: Response): Promise<StoreError> {
  const { status } = response;
  const requestId = response.headers.get("x-request-id") ?? undefined;
  const isProblem = typeOf(response).endsWith("json");
  const problem: unknown = isProblem ? await response.json().catch(() => undefined) : undefined;
  if (!isProblemDocument(problem)) {
    await response.body?.cancel().catch(() => undefined);
    return unexpectedResponse(response);
  }
  const message = problem.detail ?? problem.title;
  return new StoreError(String(message), { status, code: problem.code, requestId, problem });
}

/** The answer is none of an Image Store. */
export function unexpectedResponse(response: Response): StoreError {
  const what = [response.status, response.statusText, typeOf(response)].filter(Boolean).join(" ");
  return new StoreError(`No Image Store answered at ${response.url}, but something else: ${what}.`, {
    status: response.status,
    code: "unexpected_response",
    requestId: response.headers.get("x-request-id") ?? undefined,
  });
}

/**
 * The JSON of a successful answer, undefined where it has no body.
 * @throws StoreError `unexpected_response` for anything else
 */
export async function dataOf(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return text === "" ? undefined : (JSON.parse(text) as unknown);
  } catch {
    throw unexpectedResponse(response);
  }
}

interface ProblemDocument extends Readonly<Record<string, unknown>> {
  readonly code: string;
}

const isProblemDocument = (body: unknown): body is ProblemDocument =>
  typeof body === "object" && body !== null && typeof (body as { code?: unknown }).code === "string";

/** The media type without parameters; empty without one. */
export const typeOf = ({ headers }: Pick<Response, "headers">): string =>
  (headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
