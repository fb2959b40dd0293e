import type { MaybePromise } from "../../../concurrency/maybe-promise.ts";
import type { CreateTicket, DeleteTicket, PruneTickets } from "../../../domain/access-changes.ts";
import type { ImageToPut, Requested } from "../../../domain/change.ts";
import { albumNotFound, ticketNotFound, ticketUsed } from "../../../domain/errors.ts";
import { type AuditEventType, STORE } from "../../../domain/event.ts";
import { type Ticket, ticketUploadOf } from "../../../domain/ticket.ts";
import { includesAlbum } from "../../../domain/visibility.ts";
import type { Driver } from "../driver.ts";
import { TICKET_COLUMNS, type TicketRow, toTicket, uploadsOf } from "../queries/tickets.ts";
import { toTime } from "../rows.ts";
import { lockAlbum } from "./albums.ts";
import { appendAuditEvent } from "./append-event.ts";
import type { ChangeContext } from "./context.ts";

const INSERT_TICKET = `insert into tickets (${TICKET_COLUMNS.join(", ")})
  values (${TICKET_COLUMNS.map((_, index) => `$${index + 1}`).join(", ")})`;

export async function createTicket(db: Driver, context: ChangeContext, change: CreateTicket): Promise<Ticket> {
  const album = await lockAlbum(db, change.albumId, change.by);
  // A rename may have taken it out of either reach.
  if (change.by !== undefined && !includesAlbum(change.by.shared, { id: album.id, name: album.name }))
    throw albumNotFound();
  const { contentTypes, fields, files, maxBytes, name } = change.terms;
  const row: TicketRow = {
    id: change.id,
    sha256: change.sha256,
    album_id: album.id,
    name,
    fields: fields && JSON.stringify(fields),
    max_bytes: maxBytes,
    content_types: contentTypes && JSON.stringify(contentTypes),
    files_left: files,
    uploads: "[]",
    created_at: context.now,
    created_by: JSON.stringify(change.by?.actor ?? STORE),
    charged_to: change.by?.chargedTo ?? null,
    expires_at: change.expiresAt,
  };
  await db.run(
    INSERT_TICKET,
    TICKET_COLUMNS.map((column) => row[column]),
  );
  return announce(db, context, "imagestore.ticket.created", row, change);
}

export async function deleteTicket(db: Driver, context: ChangeContext, change: DeleteTicket): Promise<null> {
  const album = await lockAlbum(db, change.albumId, change.by);
  const row = await lockTicket(db, change.id);
  if (row?.album_id !== album.id) throw ticketNotFound();
  await db.run("delete from tickets where id = $1", [row.id]);
  await announce(db, context, "imagestore.ticket.revoked", row, change);
  return null;
}

/** Revokes the tickets that were made with the key, or with its sessions. */
export async function deleteTicketsOf(db: Driver, context: ChangeContext, key: string, origin: Requested) {
  const rows = await db.all<TicketRow>(
    `select ${TICKET_COLUMNS.join(", ")} from tickets where charged_to = $1 order by id for no key update`,
    [key],
  );
  if (rows.length > 0) await db.run("delete from tickets where charged_to = $1", [key]);
  for (const row of rows) await announce(db, context, "imagestore.ticket.revoked", row, origin);
  return rows.length;
}

async function announce(
  db: Driver,
  context: ChangeContext,
  type: Extract<AuditEventType, `imagestore.ticket.${string}`>,
  row: TicketRow,
  origin: Requested,
): Promise<Ticket> {
  const record = toTicket(row);
  const subject = `albums/${row.album_id}/tickets/${row.id}`;
  await appendAuditEvent(db, context, { type, subject, albumId: row.album_id, record, origin });
  return record;
}

export async function pruneTickets(db: Driver, { now }: ChangeContext, { retention, limit }: PruneTickets) {
  const pruned = await db.run(
    `delete from tickets where id in (select id from tickets where expires_at < $1 order by expires_at, id limit $2)`,
    [now - retention, limit],
  );
  return { pruned };
}

/** The album must be locked, by an earlier statement or one pipelined before this. */
export const lockTicket = (db: Driver, id: string): MaybePromise<TicketRow | undefined> =>
  db.get<TicketRow>(`select ${TICKET_COLUMNS.join(", ")} from tickets where id = $1 for no key update`, [id]);

/** @throws StoreError `ticket_not_found`, `ticket_used`; before anything is written */
export function requireUploadsLeft(ticket: TicketRow | undefined, albumId: string, images: number): TicketRow {
  if (ticket?.album_id !== albumId) throw ticketNotFound();
  if (ticket.files_left < images) throw ticketUsed();
  return ticket;
}

/** Uses the ticket up for these images. */
export const useTicket = (db: Driver, { now }: ChangeContext, ticket: TicketRow, images: readonly ImageToPut[]) =>
  db.run("update tickets set files_left = $2, uploads = $3 where id = $1", [
    ticket.id,
    ticket.files_left - images.length,
    JSON.stringify([...uploadsOf(ticket), ...images.map((image) => ticketUploadOf(image, toTime(now)))]),
  ]);
