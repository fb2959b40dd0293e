import { encodeCursor } from "../domain/event.ts";
import {
  DEFAULT_PAGE_SIZE,
  decodePageToken,
  encodePageToken,
  type OrderBy,
  type Page,
  type PageQuery,
} from "../domain/page.ts";
import { json, type RouteRequest } from "./route.ts";

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
  const { items, next } = page;
  const watermark = encodeCursor(page.watermark);
  if (next === undefined) return json(200, { items, watermark });
  const nextPageToken = encodePageToken(next, scope);
  const search = new URLSearchParams(request.search);
  search.set("pageToken", nextPageToken);
  return json(200, { items, nextPageToken, watermark }, { Link: `<${request.path}?${search.toString()}>; rel="next"` });
}
