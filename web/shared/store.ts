import { signal } from "@preact/signals";
import { createClient, StoreError } from "../../client/src/index.ts";

/** Path of the store, without a slash at its end; a proxy may serve it under one of its own. This module is bundled into `assets`. */
export const base = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** True once the store has refused the session that the page had. */
export const sessionEnded = signal(false);

/** Whether the page has a session, as far as it knows. */
export const hasSession = signal(false);

/** Grows with each connection to the stream of events. */
export const streamsOpened = signal(0);

/** The only way to the store, with the cookie of the session. */
export const store = createClient({
  url: location.origin + base,
  fetch: async (request) => {
    const response = await fetch(request, { priority: isLaterPage(request) ? "low" : "auto" });
    if (response.status === 401 && (await codeOf(response)) === "session_ended") sessionEnded.value = true;
    else if (REFUSED.has(response.status) && hasSession.peek()) await noteEndOfSession();
    if (response.ok && request.headers.get("Accept") === "text/event-stream") streamsOpened.value += 1;
    return response;
  },
});

/** The pictures of the first page of a listing come before the pages behind it. */
const isLaterPage = ({ url }: Request): boolean => new URL(url).searchParams.has("pageToken");

/** What the store answers to a visitor instead of what a session may see. */
export const REFUSED: ReadonlySet<number> = new Set([401, 403, 404]);

/** The response to an `<img>` or to a request that was given up may have removed the cookie, which makes the page a visitor. */
async function noteEndOfSession(): Promise<void> {
  // A store that does not answer has ended nothing.
  const response = await fetch(`${base}/v1/me`).catch(() => undefined);
  if (response === undefined) return;
  const { caller, code } = (await response.json()) as { caller?: { kind: string }; code?: string };
  if (code === "session_ended" || caller?.kind === "anonymous") sessionEnded.value = true;
}

/**
 * Metrics of the node that answers, by name, with labels as in the text format of Prometheus. They are no JSON, which is all that the
 * client reads.
 * @throws StoreError
 */
export async function readMetrics(): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${base}/metrics`).catch((cause: unknown): never => {
    throw new StoreError("The store does not respond.", { status: 0, code: "unreachable", cause });
  });
  const text = await response.text();
  if (!response.ok) throw new StoreError(text, { status: response.status, code: "unexpected_response" });
  const samples = text.matchAll(/^([a-z_]+(?:\{[^}]*\})?) ([\d.e+]+)$/gm);
  return new Map(Array.from(samples, ([, name = "", value]) => [name, Number(value)]));
}

/** Whether the store refused something because the session has ended. Uploads are not sent by `fetch`, which would have seen it. */
export async function isAfterEnd(error: unknown): Promise<boolean> {
  if (!(error instanceof StoreError) || !REFUSED.has(error.status)) return false;
  if (error.code === "session_ended") sessionEnded.value = true;
  else if (hasSession.peek() && !sessionEnded.peek()) await noteEndOfSession();
  return sessionEnded.peek();
}

const codeOf = async (response: Response): Promise<unknown> =>
  (
    (await response
      .clone()
      .json()
      .catch(() => ({}))) as { code?: unknown }
  ).code;

/** For a write that must not overwrite a later one. */
export const ifMatch = ({ id, revision }: { readonly id: string; readonly revision: number }) => ({
  "If-Match": `"${id}.${revision}.-"`,
});

/** Path of all images of an album as one archive. */
export const zipUrl = (album: string): string => `${base}/v1/albums/${encodeURIComponent(album)}/zip`;

/** Path of the bytes of an image, or of a variant of one of the widths that every reader may ask for. */
export const contentUrl = ({ id, sha256 }: { readonly id: string; readonly sha256: string }, width?: number): string =>
  `${base}/v1/images/${id}/content/${sha256}${width === undefined ? "" : `?format=webp&w=${width}`}`;
