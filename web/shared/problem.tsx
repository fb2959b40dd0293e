import { StoreError } from "../../client/src/index.ts";
import { texts } from "../texts.ts";
import { PlainError } from "./plain-error.ts";
import { isEndSaid } from "./session-end.ts";

/** What went wrong, why, under which id the store's log has it, and what to do. */
export function Problem({ error, onRetry }: { readonly error: unknown; readonly onRetry?: (() => void) | undefined }) {
  if (isEndSaid.value && followsFromEnd(error)) return null;
  const { title, detail, advice, requestId } = explain(error);
  return (
    <div class="problem" role="alert">
      <p class="title">{title}</p>
      {detail !== undefined && <p dir="auto">{detail}</p>}
      {advice !== undefined && <p>{advice}</p>}
      {requestId !== undefined && (
        <p class="small">
          {texts.problem.requestId} <span class="mono">{requestId}</span>
        </p>
      )}
      {onRetry !== undefined && (
        <p>
          <button type="button" class="button" onClick={onRetry}>
            {texts.tryAgain}
          </button>
        </p>
      )}
    </div>
  );
}

/** Where the end of the session is said above the view, what the store then refuses is not said again. */
const followsFromEnd = (error: unknown): boolean =>
  error instanceof StoreError && (error.status === 401 || error.status === 403 || error.status === 404);

interface Explained {
  readonly title: string;
  readonly detail?: string | undefined;
  readonly advice?: string | undefined;
  readonly requestId?: string | undefined;
}

export function explain(error: unknown): Explained {
  if (error instanceof PlainError) return { title: error.title, detail: error.detail, advice: error.advice };
  if (!(error instanceof StoreError)) return { title: texts.problem.unexpected, detail: String(error) };
  const [title, advice] = texts.problem.codes[error.code] ?? [];
  if (error.code === "unreachable")
    return { title: texts.problem.unreachable, advice: texts.problem.unreachableAdvice };
  const fields = error.errors.map((field) => field.detail).join("; ");
  const { title: phrase } = error.problem;
  return {
    title: title ?? (typeof phrase === "string" ? phrase : texts.problem.unexpected),
    detail: fields === "" || error.message.includes(fields) ? error.message : `${error.message} (${fields})`,
    advice,
    requestId: error.requestId,
  };
}

/** In one line, for a toast or a row of a list. */
export function explainShortly(error: unknown): string {
  const { title, detail, advice, requestId } = explain(error);
  return [title, advice ?? detail, requestId === undefined ? "" : `(${requestId})`].filter(Boolean).join(" ");
}
