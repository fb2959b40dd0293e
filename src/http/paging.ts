import { encodeCursor } from "../domain/event.ts";
import {
  DEFAULT_PAGE_SIZE,
  decodePageToken,
  encodePageToken,
  type OrderBy,
  type Page,
  type PageQuery,
} from "../domain/page.ts";
import { jsonHeaders, type RouteRequest } from "./route.ts";

/** What `pageParameters` of listing-schemas.ts gives. */
export interface PageParameters<By extends OrderBy = OrderBy> {
  readonly pageSize?: number | undefined;
  readonly pageToken?: string | undefined;
  readonly orderBy?: By | undefined;
  readonly q?: string | undefined;
}

/**
 * What a token is bound to: the listing, and every parameter but the page itself. `albumId` for a listing within one,
 * since a name in the path may by now be another album's.
 */
export function pageScope(listing: string, parameters: PageParameters, albumId?: string): string {
  const filters = Object.entries({ ...parameters, orderBy: orderOf(parameters) })
    .filter(([name, value]) => name !== "pageSize" && name !== "pageToken" && value !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([listing, albumId ?? null, filters]);
}

/** @throws StoreError `invalid_page_token` */
export function pageQuery<By extends OrderBy>(parameters: PageParameters<By>, scope: string): PageQuery<By | "name"> {
  const orderBy = orderOf(parameters);
  const { pageToken, q } = parameters;
  return {
    orderBy,
    limit: parameters.pageSize ?? DEFAULT_PAGE_SIZE,
    ...(pageToken === undefined ? {} : { start: decodePageToken(pageToken, scope, orderBy) }),
    ...(q === undefined ? {} : { q }),
  };
}

const orderOf = <By extends OrderBy>({ orderBy }: PageParameters<By>): By | "name" => orderBy ?? "name";

/** A page, with the token and the link of the next one. */
export function answerPage(request: RouteRequest, page: Page<unknown>, scope: string): Response {
  let text = serialized.get(page);
  if (text?.scope !== scope) serialized.set(page, (text = serialize(page, scope)));
  const { body, nextPageToken } = text;
  if (nextPageToken === undefined) return new Response(body, { headers: jsonHeaders(body.size, {}) });
  const search = new URLSearchParams(request.search);
  search.set("pageToken", nextPageToken);
  const Link = `<${request.path}?${search.toString()}>; rel="next"`;
  return new Response(body, { headers: jsonHeaders(body.size, { Link }) });
}

/** A catalog that remembers pages returns the same object until the next write. */
const serialized = new WeakMap<Page<unknown>, ReturnType<typeof serialize>>();

function serialize({ items, next, watermark: position }: Page<unknown>, scope: string) {
  const watermark = encodeCursor(position);
  const nextPageToken = next && encodePageToken(next, scope);
  return { scope, body: new Blob([JSON.stringify({ items, nextPageToken, watermark })]), nextPageToken };
}
