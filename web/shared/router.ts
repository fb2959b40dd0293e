import { computed, effect, signal } from "@preact/signals";
import { base } from "./store.ts";

export type Route =
  | { readonly view: "albums" | "events" | "admin" | "sign-in" | "unknown" }
  | { readonly view: "album"; readonly album: string; readonly image: string | undefined }
  | { readonly view: "share"; readonly secret: string };

const path = signal(location.pathname);

export const route = computed(() => parseRoute(path.value));

let lastView: string | undefined;
effect(() => {
  const { view } = route.value;
  if (view !== "sign-in" && view !== "share") lastView = path.value;
});

/** The view that the person left to sign in, or the albums where there was none. */
export const viewBeforeSignIn = (): string => lastView ?? urlOf.albums();

function parseRoute(pathname: string): Route {
  const inStore = pathname.startsWith(base) ? pathname.slice(base.length) : pathname;
  let parts: string[];
  try {
    parts = inStore.split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return { view: "unknown" };
  }
  const [first, second, third] = parts;
  if (first === undefined) return { view: "albums" };
  if (first === "albums" && second !== undefined && parts.length < 4)
    return { view: "album", album: second, image: third };
  if (first === "albums" && second === undefined) return { view: "albums" };
  if (first === "s" && second !== undefined) return { view: "share", secret: second };
  if ((first === "events" || first === "admin" || first === "sign-in") && second === undefined) return { view: first };
  return { view: "unknown" };
}

export const urlOf = {
  albums: () => `${base}/`,
  album: (name: string) => `${base}/albums/${encodeURIComponent(name)}`,
  image: (album: string, id: string) => `${base}/albums/${encodeURIComponent(album)}/${id}`,
  events: () => `${base}/events`,
  admin: () => `${base}/admin`,
  signIn: () => `${base}/sign-in`,
};

export function navigate(url: string, { replace = false }: { readonly replace?: boolean } = {}): void {
  if (url === location.pathname) return;
  if (replace) history.replaceState(history.state, "", url);
  else history.pushState({ inside: true }, "", url);
  path.value = location.pathname;
}

/** Back to where the person came from, or to `url` where the page was opened here. */
export function leave(url: string): void {
  if ((history.state as { inside?: boolean } | null)?.inside === true) history.back();
  else navigate(url, { replace: true });
}

/** Links of the page change the view; every other click is the browser's. */
function onClick(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  const link = (event.target as Element | null)?.closest?.("a[data-view]");
  if (!(link instanceof HTMLAnchorElement)) return;
  event.preventDefault();
  navigate(link.pathname);
}

export function startRouter(): void {
  addEventListener("popstate", () => (path.value = location.pathname));
  document.addEventListener("click", onClick);
}
