import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { StoreError } from "../../client/src/index.ts";
import { PlainError } from "../shared/plain-error.ts";
import { Problem } from "../shared/problem.tsx";
import { navigate, viewBeforeSignIn } from "../shared/router.ts";
import { signIn } from "../shared/session.ts";
import { store } from "../shared/store.ts";
import { useSubmit } from "../shared/submit.ts";
import { texts } from "../texts.ts";
import { beginLogin, finishLogin, isReturn, type Login } from "./issuer.ts";

/** Signing in at the issuer that the store is configured for; nothing where there is none. */
export function IssuerLogin() {
  const logins = useSignal<readonly Login[]>([]);
  const isReturning = useSignal(isReturn(location.search));
  const listing = useSubmit(async () => {
    logins.value = (await store.send("GET", "/v1/logins", {})).items;
  });
  const leaving = useSubmit(async () => {
    returning.error.value = undefined;
    const [login] = logins.value;
    if (login !== undefined) await beginLogin(login, viewBeforeSignIn());
  });
  const returning = useSubmit(async () => {
    const { search } = location;
    // A code must not stay in the address, from where it could be copied or sent again.
    history.replaceState(history.state, "", location.pathname);
    try {
      const { accessToken, view } = await finishLogin(search);
      await signIn(accessToken).catch(refused);
      navigate(view, { replace: true });
    } finally {
      isReturning.value = false;
    }
  });
  useEffect(() => {
    if (isReturning.value) void returning.submit();
    void listing.submit();
  }, []);

  if (isReturning.value) return <p role="status">{texts.issuer.returning}</p>;
  const [login] = logins.value;
  const error = returning.error.value ?? leaving.error.value;
  return (
    <>
      {error !== undefined && <Problem error={error} />}
      {listing.error.value !== undefined && (
        <Problem error={away(listing.error.value)} onRetry={() => void listing.submit()} />
      )}
      {login !== undefined && (
        <>
          <button
            type="button"
            class="button primary"
            disabled={leaving.busy.value}
            onClick={() => void leaving.submit()}
          >
            {texts.issuer.go(new URL(login.issuer).host)}
          </button>
          <p class="or muted small">{texts.issuer.or}</p>
        </>
      )}
    </>
  );
}

const away = (error: unknown): unknown =>
  error instanceof StoreError && error.code === "unavailable" ? new PlainError(...texts.issuer.away) : error;

function refused(error: unknown): never {
  if (!(error instanceof StoreError) || error.code !== "unauthorized") throw error;
  const [title, advice] = texts.issuer.tokenRefused;
  throw new PlainError(title, advice, `${texts.problem.requestId} ${error.requestId ?? ""}`);
}
