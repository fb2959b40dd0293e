import { useContext } from "preact/hooks";
import { StoreError } from "../../client/src/index.ts";
import { texts } from "../texts.ts";
import { InDialog } from "./dialog.tsx";
import { PlainError } from "./plain-error.ts";
import { urlOf } from "./router.ts";
import { isEndSaid } from "./session-end.ts";
import { hasSession, REFUSED, sessionEnded } from "./store.ts";

/** What went wrong, why, under which id the store's log has it, and what to do. */
export function Problem({ error, onRetry }: { readonly error: unknown; readonly onRetry?: (() => void) | undefined }) {
  const isInDialog = useContext(InDialog);
  if (isEndSaid.value && followsFromEnd(error)) return isInDialog ? <SignInBeside advice={texts.signIn.stays} /> : null;
  if (isEnd(error) && !sessionEnded.value)
    return (
      <div class="made" role="status">
        <p>{texts.signIn.again}</p>
        <Retry onRetry={onRetry} />
      </div>
    );
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
      <Retry onRetry={onRetry} />
    </div>
  );
}

const Retry = ({ onRetry }: { readonly onRetry: (() => void) | undefined }) =>
  onRetry === undefined ? null : (
    <p>
      <button type="button" class="button" onClick={onRetry}>
        {texts.tryAgain}
      </button>
    </p>
  );

/** In another tab, so that nothing of this one is lost. */
export const SignInBeside = ({ advice }: { readonly advice: string }) => (
  <div class="problem" role="alert">
    <p class="title">{texts.signIn.ended}</p>
    <p>{advice}</p>
    <p>
      <a class="button" href={urlOf.signIn()} target="_blank" rel="noopener">
        {texts.signIn.beside}
      </a>
    </p>
  </div>
);

/** The response to another request may have removed the cookie before, so that the store did not know whose this one was. */
const isEnd = (error: unknown): boolean =>
  error instanceof StoreError && (error.code === "session_ended" || (error.status === 401 && hasSession.value));

/** Where the end of the session is said above the view, what the store then refuses is not said again. */
const followsFromEnd = (error: unknown): boolean => error instanceof StoreError && REFUSED.has(error.status);

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
