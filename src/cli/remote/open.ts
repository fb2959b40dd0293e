import { StoreError } from "../../../client/src/index.ts";
import { EXIT } from "../context.ts";
import type { RemoteCall } from "./connection.ts";
import { absolute } from "./links.ts";
import { parseTarget } from "./records.ts";

const LINK_SECONDS = 3600;

/** Prints the URL of a page or an image, and opens it on a terminal. */
export async function open(call: RemoteCall): Promise<number> {
  const { context, print } = call;
  const url = await findUrl(call);
  const browser = context.isTerminal && !call.has("print") ? findBrowser(call) : undefined;
  const isOpened = browser !== undefined && start(browser, url);
  await print({ url, opened: isOpened }, url);
  if (context.isTerminal && !call.has("print") && !isOpened)
    context.err("No browser was found. Open the URL yourself, or set BROWSER.\n");
  return EXIT.ok;
}

async function findUrl(call: RemoteCall): Promise<string> {
  const { client, operands, signal, url, key } = call;
  const [path] = operands;
  if (path === undefined) return requirePage(call, `${url}/`);
  const { album, image } = parseTarget(path, call);
  if (image === undefined) {
    const { name } = await client.albums.get(album, { signal });
    return requirePage(call, `${url}/albums/${encodeURIComponent(name)}`);
  }
  const { links } = await client.image(album, image, { signal });
  if (key === undefined) return absolute(links.content, call);
  // A browser does not send the key.
  const given = { path: { album, image }, body: { expiresIn: LINK_SECONDS }, signal };
  const link = await client.send("POST", "/v1/albums/{album}/images/{image}/links", given);
  return absolute(link.url, call);
}

/** @throws Error if the store serves no page there */
async function requirePage({ url: store, signal }: RemoteCall, url: string): Promise<string> {
  const response = await fetch(url, { headers: { Accept: "text/html" }, signal }).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new StoreError(`No store answers at ${url}.`, { status: 0, code: "unreachable", cause });
  });
  await response.body?.cancel();
  // Without a page, a store sends browsers from / to the documentation of its API.
  const isThere = new URL(response.url).pathname === new URL(url).pathname;
  const isPage = isThere && response.ok && (response.headers.get("content-type") ?? "").startsWith("text/html");
  if (isPage) return url;
  throw new Error(
    `The store at ${store} serves no page. "image-store open ALBUM/IMAGE" opens an image, and ${store}/docs is the API's documentation.`,
  );
}

/** The command line of a browser, without the URL. */
function findBrowser({ context: { env } }: RemoteCall): readonly string[] | undefined {
  const given = env["BROWSER"]?.trim();
  if (given) return given.split(/\s+/);
  const names = process.platform === "darwin" ? ["open"] : ["xdg-open", "wslview"];
  const isGraphical =
    process.platform === "darwin" || Boolean(env["DISPLAY"] || env["WAYLAND_DISPLAY"] || env["WSL_DISTRO_NAME"]);
  const found = isGraphical ? names.find((name) => Bun.which(name) !== null) : undefined;
  return found === undefined ? undefined : [found];
}

/** It outlives this command. */
function start(browser: readonly string[], url: string): boolean {
  try {
    Bun.spawn([...browser, url], { stdio: ["ignore", "ignore", "ignore"] }).unref();
    return true;
  } catch {
    return false;
  }
}
