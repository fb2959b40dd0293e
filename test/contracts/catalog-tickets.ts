import { afterEach, beforeEach, expect, test } from "bun:test";
import type { CreateTicket } from "../../src/domain/access-changes.ts";
import type { Album } from "../../src/domain/album.ts";
import { requesterOf } from "../../src/domain/caller.ts";
import type { Requester } from "../../src/domain/change.ts";
import { EMPTY_IMAGE_FIELDS } from "../../src/domain/image.ts";
import type { PageStart } from "../../src/domain/page.ts";
import type { AlbumSet } from "../../src/domain/visibility.ts";
import {
  createAlbum,
  digest,
  eventsAfter,
  imageNamed,
  loggedState,
  type OpenCatalog,
  type OpenedCatalog,
  pagesOf,
  put,
} from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";

const inA: AlbumSet = { ids: [], names: ["a*"], public: false };
const MAKER: Requester = { actor: { kind: "key", id: "k1", name: "maker" }, albums: inA, shared: inA };
const TERMS = { name: null, maxBytes: null, contentTypes: null, files: 1, fields: null };

export function ticketContract(open: OpenCatalog): void {
  let catalog: OpenedCatalog;
  let album: Album;
  beforeEach(async () => {
    catalog = await open();
    album = await createAlbum(catalog, "a");
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  let made = 0;
  const ticketFor = (more: Partial<CreateTicket> = {}): CreateTicket => ({
    type: "createTicket",
    id: `ticket${String(++made).padStart(10, "0")}`,
    sha256: digest(String(made)),
    albumId: album.id,
    terms: TERMS,
    expiresAt: Date.now() + 60_000,
    by: MAKER,
    ...more,
  });
  const upload = (ticket: string, names: readonly string[]) =>
    put(
      catalog,
      album,
      names.map((name) => imageNamed(name)),
      {
        ticket,
        by: requesterOf(
          { kind: "ticket", id: ticket, name: null, grants: [{ rights: new Set(["write"] as const), albums: "*" }] },
          "write",
        ),
      },
    );

  test("a ticket is found with its terms, and by its id only", async () => {
    const terms = {
      name: "me.png",
      maxBytes: 2 ** 40,
      contentTypes: ["image/png", "image/webp"] as const,
      files: 1,
      fields: { ...EMPTY_IMAGE_FIELDS, title: "T", metadata: { k: "v" }, tags: ["t"], focalPoint: { x: 0.5, y: 1 } },
    };
    const change = ticketFor({ terms });
    const ticket = await catalog.write(change);
    expect(ticket).toEqual({
      id: change.id,
      ...terms,
      filesLeft: 1,
      createdBy: MAKER.actor,
      createdAt: expect.stringMatching(/Z$/),
      expiresAt: new Date(change.expiresAt).toISOString(),
    });
    const stored = { ticket, sha256: change.sha256, album: { id: album.id, name: "a" }, chargedTo: null, uploads: [] };
    expect(await catalog.ticket(change.id)).toEqual(stored);
    expect(await catalog.ticket(change.id.toUpperCase())).toBeUndefined();
    await catalog.write({ type: "updateAlbum", albumId: album.id, patch: { name: "b" } });
    expect(await catalog.ticket(change.id)).toEqual({ ...stored, album: { id: album.id, name: "b" } });
  });

  test("a ticket is made only for an album that its maker may share and write to in that moment", async () => {
    const none: AlbumSet = { ids: [], names: ["b*"], public: true };
    await expectCode(catalog.write(ticketFor({ by: { ...MAKER, shared: none } })), "album_not_found");
    await expectCode(catalog.write(ticketFor({ by: { ...MAKER, albums: none } })), "album_not_found");
    await expectCode(catalog.write(ticketFor({ albumId: Bun.randomUUIDv7() })), "album_not_found");
    await catalog.write({ type: "updateAlbum", albumId: album.id, patch: { name: "c" } });
    await expectCode(catalog.write(ticketFor()), "album_not_found");
    await expectCode(catalog.write(ticketFor({ by: { ...MAKER, albums: "all" } })), "album_not_found");
    expect((await catalog.tickets({ albumId: album.id, orderBy: "createdAt", limit: 9 })).items).toEqual([]);
  });

  test("images use a ticket up in their own transaction, and say what was uploaded with it", async () => {
    const { id } = await catalog.write(ticketFor({ terms: { ...TERMS, files: 3 } }));
    const [one] = await upload(id, ["one"]);
    await expectCode(upload(id, ["two", "three", "four"]), "ticket_used");
    await expectCode(upload(id, ["one"]), "image_exists");
    const others = await upload(id, ["two", "three"]);
    const stored = await catalog.ticket(id);
    expect(stored?.ticket).toMatchObject({ files: 3, filesLeft: 0 });
    const images = [one, ...others].map((each) => each?.image);
    expect(stored?.uploads).toEqual(
      images.map((image) =>
        expect.objectContaining({
          id: image?.id,
          name: image?.name,
          sha256: image?.sha256,
          createdAt: image?.createdAt,
        }),
      ),
    );
    await expectCode(upload(id, ["four"]), "ticket_used");
    await expectCode(upload("another0000000000".slice(0, 16), ["four"]), "ticket_not_found");
  });

  test("a ticket of another album gives nothing", async () => {
    const other = await createAlbum(catalog, "a2");
    const { id } = await catalog.write(ticketFor({ albumId: other.id }));
    await expectCode(upload(id, ["one"]), "ticket_not_found");
    expect((await catalog.ticket(id))?.ticket.filesLeft).toBe(1);
  });

  test("of many uploads at once with one ticket as many are stored as it allows, each with its event", async () => {
    for (const files of [1, 7]) {
      const { id } = await catalog.write(ticketFor({ terms: { ...TERMS, files } }));
      const { lastSequence } = await loggedState(catalog);
      const outcomes = await Promise.allSettled(
        Array.from({ length: 60 }, (_, index) => upload(id, [`${files} ${index}`])),
      );
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(files);
      const stored = await catalog.ticket(id);
      expect([stored?.ticket.filesLeft, stored?.uploads.length]).toEqual([0, files]);
      await eventsAfter(catalog, lastSequence, files);
      expect(
        (await catalog.images({ visibility: "all", orderBy: "name", limit: 99, q: `${files} ` })).items,
      ).toHaveLength(files);
    }
  });

  test("a deleted ticket is gone, and so are those of a deleted album", async () => {
    const { id } = await catalog.write(ticketFor());
    const other = await createAlbum(catalog, "a2");
    await expectCode(catalog.write({ type: "deleteTicket", albumId: other.id, id }), "ticket_not_found");
    const elsewhere = { ...MAKER, albums: { ids: [other.id], names: [], public: false } };
    await expectCode(catalog.write({ type: "deleteTicket", albumId: album.id, id, by: elsewhere }), "album_not_found");
    await catalog.write({ type: "deleteTicket", albumId: album.id, id, by: MAKER });
    expect(await catalog.ticket(id)).toBeUndefined();
    await expectCode(upload(id, ["one"]), "ticket_not_found");
    await expectCode(catalog.write({ type: "deleteTicket", albumId: album.id, id }), "ticket_not_found");

    const { id: orphan } = await catalog.write(ticketFor());
    await upload(orphan, ["one"]);
    const { id: waiting } = await catalog.write(ticketFor());
    await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true, atOnce: 0 });
    expect(await catalog.ticket(waiting)).toBeUndefined();
    await catalog.write({ type: "deleteAlbumChunk", albumId: album.id, limit: 10 });
    for (const one of [orphan, waiting]) expect(await catalog.ticket(one)).toBeUndefined();
  });

  test("tickets are listed by album in the order of their making, in full pages", async () => {
    const other = await createAlbum(catalog, "a2");
    const ids: string[] = [];
    for (let count = 0; count < 5; count++) {
      ids.push((await catalog.write(ticketFor())).id);
      await catalog.write(ticketFor({ albumId: other.id }));
    }
    const pages = await pagesOf((start: { start?: PageStart }) =>
      catalog.tickets({ albumId: album.id, orderBy: "createdAt", limit: 2, ...start }),
    );
    expect(pages.map(({ items }) => items.length)).toEqual([2, 2, 1]);
    expect(pages.flatMap(({ items }) => items.map(({ id }) => id))).toEqual(ids);
  });

  test("tickets are pruned some time after their expiry, a limited number at a time", async () => {
    const now = Date.now();
    const dead = [5000, 6000, 7000].map((ago) => ticketFor({ expiresAt: now - 1_000_000 - ago }));
    const kept = ticketFor({ expiresAt: now - 1_000_000 + 600_000 });
    for (const change of [...dead, kept]) await catalog.write(change);
    const prune = () => catalog.write({ type: "pruneTickets", retention: 1_000_000, limit: 2 });
    expect([await prune(), await prune(), await prune()]).toEqual([{ pruned: 2 }, { pruned: 1 }, { pruned: 0 }]);
    expect(await catalog.ticket(kept.id)).toBeDefined();
  });
}
