import { computed } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { AlbumView } from "./album/album-view.tsx";
import { AlbumsView } from "./albums/albums-view.tsx";
import { Account, Tabs } from "./navigation.tsx";
import { Logo } from "./shared/icons.tsx";
import { lazy } from "./shared/lazy.tsx";
import { liveState } from "./shared/live.ts";
import { Problem } from "./shared/problem.tsx";
import { type Route, route, urlOf } from "./shared/router.ts";
import { isGuest, me } from "./shared/session.ts";
import { isEndSaid } from "./shared/session-end.ts";
import { Toasts } from "./shared/toast.tsx";
import { ShareView, SignInView } from "./sign-in/sign-in-view.tsx";
import { texts } from "./texts.ts";
import { Intake } from "./upload/intake.tsx";

const EventsView = lazy(async () => (await import("./later.ts")).EventsView);
const AdminView = lazy(async () => (await import("./later.ts")).AdminView);

/** A picture lies over its album, so that both are one view. */
const viewKey = computed(() => {
  const { value } = route;
  // A person who signs in again has another session, and sees the same.
  const caller = me.value?.caller.base ?? me.value?.caller;
  return [value.view, value.view === "album" ? value.album : "", caller?.kind, caller?.id].join("\n");
});

export function App() {
  const view = useRef<HTMLElement>(null);
  useEffect(() => {
    view.current?.scrollTo(0, 0);
    view.current?.focus({ preventScroll: true });
  }, [viewKey.value]);
  return (
    <div class="shell">
      <header class="bar">
        <a class="skip" href="#view" onClick={() => view.current?.focus()}>
          {texts.nav.skip}
        </a>
        <a class="brand" href={urlOf.albums()} data-view>
          <Logo />
          {texts.product}
        </a>
        <Tabs />
        <Live />
        <Account />
      </header>
      <main class="view" id="view" ref={view} tabIndex={-1}>
        <SessionEnded />
        <View key={viewKey.value} route={route.value} />
      </main>
      <Intake />
      <Toasts />
    </div>
  );
}

function View({ route: shown }: { readonly route: Route }): ComponentChildren {
  switch (shown.view) {
    case "albums":
      return <AlbumsView />;
    case "album":
      return <AlbumView name={shown.album} image={shown.image} />;
    case "events":
      return isGuest.value ? <SignInView /> : <EventsView />;
    case "admin":
      return isGuest.value ? <SignInView /> : <AdminView />;
    case "sign-in":
      return <SignInView />;
    case "share":
      return <ShareView secret={shown.secret} />;
    default:
      return (
        <div class="page narrow">
          <div class="problem">
            <p class="title">{texts.notHere}</p>
            <p>
              <a href={urlOf.albums()} data-view>
                {texts.nav.albums}
              </a>
            </p>
          </div>
        </div>
      );
  }
}

const Live = () =>
  liveState.value === "off" ? null : (
    <span class={`live ${liveState.value}`} title={texts.live.onTitle} role="status">
      <span class="word">{texts.live[liveState.value]}</span>
    </span>
  );

const SessionEnded = () =>
  !isEndSaid.value ? null : (
    <div class="banner" role="alert">
      {texts.signIn.ended}
      <a class="button" href={urlOf.signIn()} data-view>
        {texts.signIn.open}
      </a>
    </div>
  );

/** Shown where not even the caller could be found out. */
export const StartProblem = ({ error, onRetry }: { readonly error: unknown; readonly onRetry: () => void }) => (
  <main class="page narrow">
    <Problem error={error} onRetry={onRetry} />
  </main>
);
