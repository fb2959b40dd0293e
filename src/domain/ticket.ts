import type { NewBlob } from "./blob.ts";
import type { Caller } from "./caller.ts";
import type { Actor } from "./event.ts";
import { type ContentType, FORMATS, formatOf } from "./formats.ts";
import { contentPath, type Image, type ImageFields, type ImageInfo } from "./image.ts";

/** Seconds. */
export const MIN_TICKET_LIFE = 60;
export const MAX_TICKET_LIFE = 86_400;
export const DEFAULT_TICKET_LIFE = 3600;
/** Files of one ticket. */
export const MAX_TICKET_FILES = 100;
/** How long a ticket is kept after its expiry, so that a late client learns that it is late. Milliseconds. */
export const TICKET_KEPT_MS = 24 * 60 * 60 * 1000;

/** What the maker of a ticket allows its holder. */
export interface TicketTerms {
  /** Of the image; only for one file. Null: the uploader names the files. */
  readonly name: string | null;
  /** Of each file. Null: as much as the store accepts. */
  readonly maxBytes: number | null;
  /** Null: all that the store accepts. */
  readonly contentTypes: readonly ContentType[] | null;
  /** How many files may be uploaded in all. */
  readonly files: number;
  /** Of each image. Null: empty. The uploader sets none. */
  readonly fields: ImageFields | null;
}

/** A ticket as its maker sees it. Its secret is known to its holder only. */
export interface Ticket extends TicketTerms {
  readonly id: string;
  readonly filesLeft: number;
  readonly createdBy: Actor;
  readonly createdAt: string;
  readonly expiresAt: string;
}

/** A ticket as an upload needs it. */
export interface StoredTicket {
  readonly ticket: Ticket;
  /** Of the secret, in lower-case hexadecimal. */
  readonly sha256: string;
  readonly album: { readonly id: string; readonly name: string };
  /** Id of the key whose quota counts the uploads: that of its maker. */
  readonly chargedTo: string | null;
  /** What was uploaded with it, in the order of the uploads. */
  readonly uploads: readonly TicketUpload[];
}

/** What is kept of an image that a ticket stored: enough to answer a repeated upload. */
export interface TicketUpload extends ImageInfo {
  readonly id: string;
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
  readonly createdAt: string;
}

/** An image as its uploader sees it: what it sent, and what identifies it. */
export interface UploadedImage extends TicketUpload {
  readonly links: { readonly content: string };
}

interface NewImage {
  readonly id: string;
  readonly name: string;
  readonly info: ImageInfo;
  readonly blob: NewBlob;
}

export const ticketUploadOf = ({ id, name, info, blob }: NewImage, createdAt: string): TicketUpload => ({
  id,
  name,
  ...info,
  size: blob.size,
  sha256: blob.sha256,
  createdAt,
});

/** Without what the maker of the ticket says of it, and without the album. */
export const toUploadedImage = (image: TicketUpload | Image): UploadedImage => ({
  id: image.id,
  name: image.name,
  contentType: image.contentType,
  width: image.width,
  height: image.height,
  frames: image.frames,
  hasAlpha: image.hasAlpha,
  orientation: image.orientation,
  size: image.size,
  sha256: image.sha256,
  createdAt: image.createdAt,
  links: { content: contentPath(image) },
});

/** It may write to the one album, and read nothing. */
export const ticketCaller = ({ ticket, album, chargedTo }: StoredTicket): Caller => ({
  kind: "ticket",
  id: ticket.id,
  name: null,
  grants: [{ rights: new Set(["write"]), albums: { ids: [album.id] } }],
  ...(chargedTo === null ? {} : { chargedTo }),
});

/** The name of bytes that come without one. Equal bytes get the same name, so a repeated upload is known as one. */
export function nameByTicket(ticket: Ticket, sha256: string, contentType: ContentType): string {
  const [extension] = FORMATS[formatOf(contentType)].extensions;
  return `${ticket.id}${ticket.files === 1 ? "" : `-${sha256.slice(0, 16)}`}.${extension}`;
}
