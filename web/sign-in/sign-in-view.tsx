import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { StoreError } from "../../client/src/index.ts";
import { TextField } from "../shared/form.tsx";
import { Logo } from "../shared/icons.tsx";
import { Problem } from "../shared/problem.tsx";
import { navigate, route, urlOf, viewBeforeSignIn } from "../shared/router.ts";
import { signIn } from "../shared/session.ts";
import { store } from "../shared/store.ts";
import { useSubmit } from "../shared/submit.ts";
import { texts } from "../texts.ts";
import { IssuerLogin } from "./issuer-login.tsx";

const SHARE_SECRET = /\bimgsh_[\w-]+/;

export function SignInView() {
  const secret = useSignal("");
  const { busy, error, onSubmit } = useSubmit(async () => {
    const text = secret.value.trim();
    const share = SHARE_SECRET.exec(text)?.[0];
    if (share !== undefined) return openShare(share);
    await signIn(text);
    // Where something else was asked for, that is shown now.
    if (route.value.view === "sign-in") navigate(viewBeforeSignIn(), { replace: true });
  });
  const refused = error.value instanceof StoreError && error.value.code === "unauthorized";
  return (
    <div class="sign-in">
      <form onSubmit={onSubmit}>
        <span class="row">
          <Logo />
          <h1>{texts.signIn.title}</h1>
        </span>
        <IssuerLogin />
        <TextField
          label={texts.signIn.secret}
          hint={texts.signIn.secretHint}
          type="password"
          autocomplete="current-password"
          isRequired
          value={secret.value}
          onText={(text) => (secret.value = text)}
        />
        {refused && <p role="alert">{texts.signIn.refused}</p>}
        {error.value !== undefined && !refused && <Problem error={error.value} />}
        <button type="submit" class="button primary" disabled={busy.value}>
          {texts.signIn.submit}
        </button>
      </form>
    </div>
  );
}

/** Where a share link leads: it signs the visitor in and shows the album. The secret leaves the address bar. */
export function ShareView({ secret }: { readonly secret: string }) {
  const { error, submit } = useSubmit(() => openShare(secret));
  useEffect(() => {
    void submit();
  }, [secret]);
  return (
    <div class="page narrow">
      {error.value === undefined ? (
        <p class="muted">{texts.signIn.opening}</p>
      ) : (
        <Problem error={error.value} onRetry={() => void submit()} />
      )}
    </div>
  );
}

async function openShare(secret: string): Promise<void> {
  const { album } = await store.send("GET", "/s/{secret}", {
    path: { secret },
    headers: { Accept: "application/json" },
  });
  await signIn(secret);
  navigate(urlOf.album(album), { replace: true });
}
