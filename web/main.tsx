import { render } from "preact";
import { App, StartProblem } from "./app.tsx";
import { startRouter } from "./shared/router.ts";
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

startRouter();
await start();
