import { render } from "preact";
import { App, StartProblem } from "./app.tsx";
import { askForPicture, endOpening } from "./shared/opening.ts";
import { route, startRouter } from "./shared/router.ts";
import { loadMe } from "./shared/session.ts";

async function start(): Promise<void> {
  const container = document.getElementById("app");
  if (container === null) throw new Error("index.html has no element #app");
  try {
    await loadMe();
    render(<App />, container);
  } catch (error) {
    render(<StartProblem error={error} onRetry={() => void start()} />, container);
  }
}

// The browser looks for the icon again at each address that the page takes, and a relative one leads elsewhere there.
for (const icon of document.querySelectorAll<HTMLLinkElement>("link[rel=icon]")) icon.setAttribute("href", icon.href);

/** Views of the file that comes later, which need not wait until the caller is known. */
function loadViewAhead(): void {
  const { value } = route;
  const picture = value.view === "album" ? value.image : undefined;
  // A file that is missing is told by the view, which asks for it again.
  if (value.view === "events" || value.view === "admin" || picture !== undefined)
    import("./later.ts").catch(endOpening);
  if (picture !== undefined) void askForPicture(picture);
}

startRouter();
loadViewAhead();
await start();
