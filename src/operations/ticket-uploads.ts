import type { ApiKey } from "../domain/access.ts";
import { may } from "../domain/caller.ts";
import { imageExists, StoreError, ticketNotFound, ticketUsed } from "../domain/errors.ts";
import { makerOf } from "../domain/event.ts";
import {
  nameByTicket,
  type StoredTicket,
  type Ticket,
  type TicketUpload,
  ticketCaller,
  toUploadedImage,
  type UploadedImage,
} from "../domain/ticket.ts";
import type { Catalog, Prober } from "../ports.ts";
import { refuseWithoutRoom } from "./quotas.ts";
import { parseSecret, sameDigest } from "./secrets.ts";
import type { IncomingImage, StagedImage } from "./stage-images.ts";
import { type Upload, type UploadDeps, uploadImages } from "./upload.ts";

export interface TicketUploadDeps extends UploadDeps {
  readonly catalog: UploadDeps["catalog"] & Pick<Catalog, "credential" | "ticket">;
  /** The keys of the configuration as it is now. */
  readonly configuredKeys: () => readonly ApiKey[];
  readonly runningTickets: RunningTickets;
  readonly now: () => number;
}

/** The tickets that this process is receiving uploads for. */
export interface RunningTickets {
  /**
   * Until it is disposed of, the upload counts. One more than the ticket allows may run, for a client that comes back before
   * its broken connection is noticed: no ticket can take all memory and all slots.
   * @throws StoreError `request_in_progress`
   */
  take(ticket: Ticket): Disposable;
}

export function createRunningTickets(): RunningTickets {
  const running = new Map<string, number>();
  return {
    take({ id, filesLeft }) {
      const count = running.get(id) ?? 0;
      if (count > filesLeft)
        throw new StoreError("request_in_progress", "As many uploads with this ticket are running as it allows.");
      running.set(id, count + 1);
      return {
        [Symbol.dispose]() {
          const left = (running.get(id) ?? 1) - 1;
          if (left === 0) running.delete(id);
          else running.set(id, left);
        },
      };
    },
  };
}

/**
 * The ticket with this secret. Its expiry is judged here, when the request begins: an upload that began in time may end later.
 * @throws StoreError `ticket_not_found`, `ticket_expired`
 */
export async function findTicket(deps: TicketUploadDeps, secret: string): Promise<StoredTicket> {
  const { catalog, now } = deps;
  const parsed = parseSecret(secret);
  if (parsed?.kind !== "ticket") throw ticketNotFound();
  const stored = await catalog.ticket(parsed.id);
  if (stored === undefined || !sameDigest(stored.sha256, parsed.sha256)) throw ticketNotFound();
  if (!(await mayMakerStill(deps, stored))) throw ticketNotFound();
  if (Date.parse(stored.ticket.expiresAt) <= now())
    throw new StoreError("ticket_expired", "The upload ticket has expired.");
  return stored;
}

/** A key that was revoked, has expired or lost its rights on the album gives nothing more, also not by its tickets. */
async function mayMakerStill(
  { catalog, configuredKeys, now }: TicketUploadDeps,
  { ticket, album, chargedTo }: StoredTicket,
): Promise<boolean> {
  const maker = makerOf(ticket.createdBy);
  if (chargedTo === null && maker.kind !== "key") return true;
  const id = chargedTo ?? maker.id ?? "";
  const configured = chargedTo === null ? configuredKeys().find(({ name }) => name === id) : undefined;
  if (configured !== undefined) return NEEDED.every((right) => configured.rights.has(right));
  const key = await catalog.credential("key", id);
  if (key === undefined || key.isRevoked || (key.expiresAt !== null && key.expiresAt <= now())) return false;
  return NEEDED.every((right) => may(key.caller, right, album));
}

const NEEDED = ["write", "share"] as const;

/** What a form has around its files. Bytes. */
export const FORM_OVERHEAD = 1024 * 1024;

/**
 * Refuses a used ticket before the body is read, unless the body may be one that was uploaded with it.
 * @param size of the body, if it is known
 * @throws StoreError `ticket_used`
 */
export function requireUsable({ ticket, uploads }: StoredTicket, size: number | undefined, isForm: boolean): void {
  if (ticket.filesLeft > 0 || size === undefined) return;
  const sizes = uploads.map((upload) => upload.size);
  const total = sizes.reduce((sum, one) => sum + one, 0);
  if (isForm ? size < Math.min(...sizes) || size > total + FORM_OVERHEAD : !sizes.includes(size)) throw ticketUsed();
}

export interface TicketedUpload extends Pick<Upload, "complete" | "declaredBytes" | "onRefusal" | "traceparent"> {
  readonly images: AsyncIterable<IncomingImage> | Iterable<IncomingImage>;
  /** Whether the images come with names. */
  readonly named: boolean;
}

export interface TicketUploaded {
  readonly images: readonly UploadedImage[];
  /** An earlier upload with the ticket stored the same bytes under the same names; nothing was changed. */
  readonly repeated: boolean;
}

/**
 * Stores images, all or none, and uses the ticket up for them. If that fails, the ticket is as it was.
 * @throws StoreError `ticket_not_found`, `ticket_used`, `request_in_progress`; those of {@link uploadImages}
 */
export async function uploadByTicket(
  deps: TicketUploadDeps,
  stored: StoredTicket,
  upload: TicketedUpload,
): Promise<TicketUploaded> {
  const { ticket, album } = stored;
  using running = deps.runningTickets.take(ticket);
  let staged: readonly StagedImage[] = [];
  try {
    await refuseTakenNames(deps, stored, ticket.name === null ? [] : [ticket.name]);
    await refuseForQuota(deps, stored, upload.declaredBytes ?? 1);
    const { value } = await uploadImages(limitedBy(deps, stored), {
      caller: ticketCaller(stored),
      album: album.name,
      albumId: album.id,
      mode: "create",
      ticket: ticket.id,
      images: asTicketed(ticket, upload.images),
      complete: async (images) => {
        const completed = (await upload.complete?.(images)) ?? images;
        staged = completed.map((image) => completeOne(ticket, image, upload.named));
        await refuseLate(deps, ticket, staged);
        return staged;
      },
      ...(upload.onRefusal === undefined ? {} : { onRefusal: upload.onRefusal }),
      traceparent: upload.traceparent,
    });
    return { images: value.map(({ image }) => toUploadedImage(image)), repeated: false };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.code === "album_not_found") throw ticketNotFound();
    const earlier = MAY_BE_REPEATED.has(error.code)
      ? earlierUploads(await deps.catalog.ticket(ticket.id), staged)
      : undefined;
    if (earlier === undefined) throw error;
    return { images: earlier.map(toUploadedImage), repeated: true };
  }
}

const MAY_BE_REPEATED: ReadonlySet<string> = new Set(["ticket_used", "image_exists"]);

/** What the maker of the ticket allows, as limits of this upload. */
function limitedBy(deps: TicketUploadDeps, { ticket, uploads }: StoredTicket): UploadDeps {
  const { limits } = deps;
  const maxUpload = Math.min(limits.maxUpload, ticket.maxBytes ?? limits.maxUpload);
  // Of a used ticket, as many as a repeated form may have.
  const maxFiles = Math.min(limits.maxFiles, ticket.filesLeft || uploads.length);
  return { ...deps, limits: { maxUpload, maxFiles }, prober: proberFor(deps.prober, ticket) };
}

const proberFor = (prober: Pick<Prober, "probe">, ticket: Ticket): Pick<Prober, "probe"> => ({
  async probe(source) {
    const info = await prober.probe(source);
    requireType(ticket, info.contentType);
    return info;
  },
});

function requireType({ contentTypes }: Ticket, type: string): void {
  if (contentTypes === null || (contentTypes as readonly string[]).includes(type)) return;
  throw new StoreError("unsupported_image", `The ticket does not allow ${type}. It allows ${contentTypes.join(", ")}.`);
}

/** The images as they arrive, without what only the maker of the ticket may say of them. */
async function* asTicketed(ticket: Ticket, images: TicketedUpload["images"]): AsyncGenerator<IncomingImage> {
  for await (const { fields: _, refusal, ...image } of images) {
    const ownName = ticket.name === null ? image : { ...image, name: ticket.name, mayBeRenamed: false };
    const left = ticket.name !== null && refusal?.code === "invalid_name" ? undefined : refusal;
    const refused = left ?? refusalOfType(ticket, image);
    yield { ...ownName, ...(refused === undefined ? {} : { refusal: refused }) };
  }
}

function refusalOfType(ticket: Ticket, { declaredType }: Pick<IncomingImage, "declaredType">): StoreError | undefined {
  try {
    if (declaredType !== undefined) requireType(ticket, declaredType);
    return undefined;
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
}

function completeOne(ticket: Ticket, { fields: _, ...image }: StagedImage, isNamed: boolean): StagedImage {
  const { blob, info } = image;
  const name = ticket.name ?? (isNamed ? image.name : nameByTicket(ticket, blob.sha256, info.contentType));
  return { ...image, name, ...(ticket.fields === null ? {} : { fields: ticket.fields }) };
}

/**
 * Spares the store bytes that the change would refuse: it has the last word.
 * @throws StoreError `ticket_not_found`, `ticket_used`, `image_exists`
 */
async function refuseLate(deps: TicketUploadDeps, { id }: Ticket, staged: readonly StagedImage[]): Promise<void> {
  const stored = await deps.catalog.ticket(id);
  if (stored === undefined || !(await mayMakerStill(deps, stored))) throw ticketNotFound();
  if (stored.ticket.filesLeft < staged.length || earlierUploads(stored, staged) !== undefined) throw ticketUsed();
  await refuseTakenNames(
    deps,
    stored,
    staged.map(({ name }) => name),
  );
}

/** What was uploaded already may be uploaded again, and needs no room. */
async function refuseForQuota({ catalog }: TicketUploadDeps, stored: StoredTicket, bytes: number): Promise<void> {
  const { album, uploads } = stored;
  if (uploads.length > 0) return;
  await refuseWithoutRoom(catalog, { caller: ticketCaller(stored), album: album.name, albumId: album.id, bytes });
}

/** A name that the ticket itself took may be that of a repeated upload. */
async function refuseTakenNames(
  { catalog }: TicketUploadDeps,
  { ticket, album, uploads }: StoredTicket,
  names: readonly string[],
): Promise<void> {
  for (const name of names) {
    if (uploads.some((upload) => upload.name === name)) continue;
    const taken = await catalog.image(album.name, name, { ids: [album.id], names: [], public: false });
    if (taken !== undefined) throw imageExists(ticket.name === null ? [name] : []);
  }
}

/** What the ticket stored before, if all of these were among it. */
function earlierUploads(
  stored: StoredTicket | undefined,
  staged: readonly StagedImage[],
): readonly TicketUpload[] | undefined {
  if (stored === undefined || staged.length === 0) return undefined;
  const found = staged.map(({ name, blob }) =>
    stored.uploads.find((upload) => upload.name === name && upload.sha256 === blob.sha256),
  );
  return found.every((upload) => upload !== undefined) ? found : undefined;
}
