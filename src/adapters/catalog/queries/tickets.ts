import type { Actor } from "../../../domain/event.ts";
import type { ContentType } from "../../../domain/formats.ts";
import type { ImageFields } from "../../../domain/image.ts";
import type { Page } from "../../../domain/page.ts";
import type { StoredTicket, Ticket, TicketUpload } from "../../../domain/ticket.ts";
import type { TicketQuery } from "../../../ports/access.ts";
import type { Driver } from "../driver.ts";
import { toTime } from "../rows.ts";
import { bind, createListing, selectRows, toPage, walkFrom, watermarkOf } from "./listing.ts";

export interface TicketRow {
  readonly id: string;
  readonly sha256: string;
  readonly album_id: string;
  readonly name: string | null;
  readonly fields: string | null;
  readonly max_bytes: number | null;
  readonly content_types: string | null;
  readonly files_left: number;
  readonly uploads: string;
  readonly created_at: number;
  readonly created_by: string;
  readonly charged_to: string | null;
  readonly expires_at: number;
}

export const TICKET_COLUMNS = [
  "id",
  "sha256",
  "album_id",
  "name",
  "fields",
  "max_bytes",
  "content_types",
  "files_left",
  "uploads",
  "created_at",
  "created_by",
  "charged_to",
  "expires_at",
] as const satisfies readonly (keyof TicketRow)[];
const SELECTED = TICKET_COLUMNS.map((column) => `t.${column}`).join(", ");

const FIND_TICKET = `select ${SELECTED}, (select a.name from albums a where a.id = t.album_id and a.state = 'live') as album_name
  from tickets t where t.id = $1`;

/** Undefined also when its album is not live. */
export async function findTicket(db: Driver, id: string): Promise<StoredTicket | undefined> {
  const row = await db.get<TicketRow & { readonly album_name: string | null }>(FIND_TICKET, [id]);
  if (row === undefined || row.album_name === null) return undefined;
  return {
    ticket: toTicket(row),
    sha256: row.sha256,
    album: { id: row.album_id, name: row.album_name },
    chargedTo: row.charged_to,
    uploads: uploadsOf(row),
  };
}

export async function listTickets(db: Driver, query: TicketQuery): Promise<Page<Ticket>> {
  const watermark = await watermarkOf(db, query);
  const listing = createListing("tickets t", "t", query.orderBy, { uniqueNames: false });
  listing.conditions.push(`t.album_id = ${bind(listing, query.albumId)}`);
  walkFrom(listing, query.start?.after, undefined);
  const rows = await selectRows<TicketRow>(db, listing, SELECTED, listing.table, query.limit);
  return toPage(rows, query, watermark, undefined, toTicket);
}

export const uploadsOf = ({ uploads }: Pick<TicketRow, "uploads">): readonly TicketUpload[] =>
  JSON.parse(uploads) as readonly TicketUpload[];

export const toTicket = (row: TicketRow): Ticket => ({
  id: row.id,
  name: row.name,
  maxBytes: row.max_bytes,
  contentTypes: row.content_types === null ? null : (JSON.parse(row.content_types) as readonly ContentType[]),
  files: row.files_left + uploadsOf(row).length,
  filesLeft: row.files_left,
  fields: row.fields === null ? null : (JSON.parse(row.fields) as ImageFields),
  createdBy: JSON.parse(row.created_by) as Actor,
  createdAt: toTime(row.created_at),
  expiresAt: toTime(row.expires_at),
});
