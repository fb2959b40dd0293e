import { requireTextBounds } from "../domain/album.ts";
import { authorize, type Caller, requesterOf } from "../domain/caller.ts";
import type { Page } from "../domain/page.ts";
import type { Ticket, TicketTerms } from "../domain/ticket.ts";
import type { TicketQuery } from "../ports/access.ts";
import type { RequestCatalog } from "./request-catalog.ts";
import { requireAlbum } from "./require-album.ts";
import { makeSecret } from "./secrets.ts";

export interface TicketDeps {
  readonly catalog: Pick<RequestCatalog, "album" | "tickets" | "write">;
  /** The clock that tickets expire by, in milliseconds since 1970. */
  readonly now: () => number;
}

export interface TicketWish {
  readonly caller: Caller;
  readonly album: string;
  readonly terms: TicketTerms;
  /** Seconds. */
  readonly life: number;
  readonly traceparent?: string | undefined;
}

/** What only its maker gets: the secret is kept nowhere. */
export interface CreatedTicket {
  readonly ticket: Ticket;
  readonly secret: string;
}

/**
 * Lets the holder of a secret upload to the album. The caller gives no more than it has.
 * @throws StoreError `album_not_found`, `forbidden`, `invalid_request`
 */
export async function createTicket({ catalog, now }: TicketDeps, wish: TicketWish): Promise<CreatedTicket> {
  const { caller, terms, life, traceparent } = wish;
  const album = await requireAlbum({ catalog }, caller, "share", wish.album);
  authorize(caller, "write", album);
  requireTextBounds(terms.fields ?? {});
  const { id, sha256, text } = makeSecret("ticket");
  const ticket = await catalog.write({
    type: "createTicket",
    id,
    sha256,
    albumId: album.id,
    terms,
    expiresAt: now() + life * 1000,
    by: requesterOf(caller, "write"),
    ...(traceparent === undefined ? {} : { traceparent }),
  });
  return { ticket, secret: text };
}

/** @throws StoreError `album_not_found`, `forbidden` */
export async function listTickets(
  { catalog }: TicketDeps,
  { caller, album }: { readonly caller: Caller; readonly album: string },
  queryOf: (albumId: string) => TicketQuery,
): Promise<Page<Ticket>> {
  const { id } = await requireAlbum({ catalog }, caller, "share", album);
  return catalog.tickets(queryOf(id));
}

/**
 * The ticket stops working. What was uploaded with it stays.
 * @throws StoreError `album_not_found`, `ticket_not_found`, `forbidden`
 */
export async function deleteTicket(
  { catalog }: TicketDeps,
  {
    caller,
    album,
    id,
    traceparent,
  }: {
    readonly caller: Caller;
    readonly album: string;
    readonly id: string;
    readonly traceparent?: string | undefined;
  },
): Promise<void> {
  const { id: albumId } = await requireAlbum({ catalog }, caller, "share", album);
  await catalog.write({
    type: "deleteTicket",
    albumId,
    id,
    by: requesterOf(caller, "share"),
    ...(traceparent === undefined ? {} : { traceparent }),
  });
}
