import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { CreateKey } from "../../src/domain/access-changes.ts";
import type { Album } from "../../src/domain/album.ts";
import type { GrantRecord } from "../../src/domain/grant.ts";
import type { Key } from "../../src/domain/key.ts";
import type { PageStart } from "../../src/domain/page.ts";
import type { Requester } from "../../src/domain/requested.ts";
import { createAlbum, digest, type OpenCatalog, type OpenedCatalog } from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";

const READ: readonly GrantRecord[] = [{ rights: ["read"], albums: "*" }];
const ADMIN: readonly GrantRecord[] = [{ rights: ["read", "admin"], albums: "*" }];
const HOUR = 3_600_000;

const by = (key: Key): Requester => ({
  actor: { kind: "key", id: key.id, name: key.name },
  albums: "all",
  shared: "all",
});

/** The ids in all pages. */
const idsIn = async (catalog: OpenedCatalog, includeRevoked: boolean, limit: number) => {
  const found: string[] = [];
  for (let start: PageStart | undefined; ; ) {
    const page = await catalog.keys({ includeRevoked, limit, ...(start === undefined ? {} : { start }) });
    found.push(...page.items.map(({ id }) => id));
    if (page.next === undefined) return found;
    start = page.next;
  }
};

export function keyContract(open: OpenCatalog): void {
  let catalog: OpenedCatalog;
  beforeEach(async () => {
    catalog = await open();
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  let made = 0;
  const newKey = (more: Partial<CreateKey> = {}): CreateKey => {
    made += 1;
    const id = `key${String(made).padStart(4, "0")}`;
    return { type: "createKey", id, sha256: digest(id), name: "web", grants: READ, expiresAt: null, ...more };
  };
  const create = (more?: Partial<CreateKey>): Promise<Key> => catalog.write(newKey(more));
  const revoke = (id: string, more: { recursive?: boolean } = {}) =>
    catalog.write({ type: "revokeKey", id, recursive: false, ...more });
  const share = (album: Album, requester: Requester) => {
    made += 1;
    const id = `share${made}`;
    const wish = { label: null, rights: ["read"], originals: false, expiresAt: null, within: [] } as const;
    return catalog.write({ type: "createShare", id, sha256: digest(id), albumId: album.id, ...wish, by: requester });
  };
  const ticket = (album: Album, requester: Requester) => {
    made += 1;
    const id = `ticket${made}`;
    const terms = { name: null, files: 1, maxBytes: null, contentTypes: null, fields: null };
    const expiresAt = Date.now() + HOUR;
    return catalog.write({
      type: "createTicket",
      id,
      sha256: digest(id),
      albumId: album.id,
      terms,
      expiresAt,
      by: requester,
    });
  };
  const audit = async () => {
    await catalog.logged?.();
    const { events } = await catalog.events({ visibility: "all", audit: true, limit: 1000 });
    return events.map(({ type, subject, albumId, data }) => ({
      type: type.slice("imagestore.".length),
      subject,
      albumId,
      ...(JSON.parse(data) as { id: string; revokedAt: string | null }),
    }));
  };

  describe("a key", () => {
    test("is read as it was made, also as a credential, without its digest in the record", async () => {
      const key = await create({ expiresAt: 4_000_000_000_000 });
      expect(key).toEqual({
        id: key.id,
        name: "web",
        grants: READ,
        revision: 1,
        createdAt: key.createdAt,
        createdBy: { kind: "store", id: null, name: null },
        expiresAt: "2096-10-02T07:06:40.000Z",
        lastUsedAt: null,
        revokedAt: null,
      });
      expect(await catalog.key(key.id)).toEqual(key);
      expect(await catalog.credential("key", key.id)).toEqual({
        kind: "key",
        id: key.id,
        sha256: digest(key.id),
        caller: {
          kind: "key",
          id: key.id,
          name: "web",
          grants: [{ rights: new Set(["read"] as const), albums: "*" }],
          chargedTo: key.id,
        },
        expiresAt: 4_000_000_000_000,
        isRevoked: false,
      });
      expect(await catalog.credential("key", "another")).toBeUndefined();
      expect(await catalog.key("another")).toBeUndefined();
    });

    test("makes an event of each change, and none where nothing changes", async () => {
      const key = await create();
      await catalog.write({ type: "updateKey", id: key.id, patch: { name: "web" } });
      await catalog.write({ type: "updateKey", id: key.id, patch: { name: "site", expiresAt: 4_000_000_000_000 } });
      await revoke(key.id);
      await revoke(key.id);
      const subject = `keys/${key.id}`;
      expect(await audit()).toMatchObject([
        { type: "key.created", subject, albumId: "", name: "web", reason: "user", actor: { kind: "store" } },
        { type: "key.updated", subject, name: "site", revision: 2, revokedAt: null },
        { type: "key.revoked", subject, revision: 3, revokedAt: expect.any(String) },
      ]);
      expect(JSON.stringify(await audit())).not.toContain(digest(key.id));
    });

    test("moves the revision with each change, but not when its use is noted", async () => {
      expect(await catalog.accessState()).toEqual({ revision: 0, hasKeys: false });
      const key = await create();
      expect(await catalog.accessState()).toEqual({ revision: 1, hasKeys: true });
      await catalog.write({ type: "updateKey", id: key.id, patch: { grants: ADMIN } });
      await catalog.write({ type: "noteUses", uses: [{ kind: "key", id: key.id, count: 1, at: 5 * HOUR + 1 }] });
      expect(await catalog.accessState()).toEqual({ revision: 2, hasKeys: true });
      await revoke(key.id);
      // The store stays closed.
      expect(await catalog.accessState()).toEqual({ revision: 3, hasKeys: true });
    });

    test("shows the hour of its last use, which never goes back", async () => {
      const { id } = await create();
      const noteAt = (at: number) =>
        catalog.write({
          type: "noteUses",
          uses: [
            { kind: "key", id, count: 1, at },
            { kind: "key", id: "gone", count: 1, at },
          ],
        });
      await noteAt(5 * HOUR + 123);
      expect((await catalog.key(id))?.lastUsedAt).toBe("1970-01-01T05:00:00.000Z");
      await noteAt(4 * HOUR);
      expect((await catalog.key(id))?.lastUsedAt).toBe("1970-01-01T05:00:00.000Z");
      await noteAt(6 * HOUR);
      expect((await catalog.key(id))?.lastUsedAt).toBe("1970-01-01T06:00:00.000Z");
    });

    test("that was revoked is known as such, and cannot be changed", async () => {
      const { id } = await create();
      expect(await revoke(id)).toMatchObject({ keys: 1 });
      expect(await catalog.credential("key", id)).toMatchObject({ isRevoked: true });
      expect(await revoke(id)).toMatchObject({ keys: 0 });
      await expectCode(catalog.write({ type: "updateKey", id, patch: { name: "x" } }), "key_not_editable");
      await expectCode(revoke("another"), "key_not_found");
      await expectCode(catalog.write({ type: "updateKey", id: "another", patch: {} }), "key_not_found");
    });

    test("is changed only at the version that the request names", async () => {
      const { id } = await create();
      const at = (revision: number) => ({ preconditions: { ifMatch: [{ id, revision }] } });
      await catalog.write({ type: "updateKey", id, patch: { name: "x" }, ...at(1) });
      const late = catalog.write({ type: "updateKey", id, patch: { name: "y" }, ...at(1) });
      await expectCode(late, "precondition_failed");
      await expectCode(catalog.write({ type: "revokeKey", id, recursive: false, ...at(1) }), "precondition_failed");
      await catalog.write({ type: "revokeKey", id, recursive: false, ...at(2) });
    });
  });

  describe("a key that makes a key", () => {
    test("gives what it has at that time, for no longer than it has it", async () => {
      const maker = await create({ grants: ADMIN, expiresAt: 4_000_000_000_000 });
      await expectCode(create({ by: by(maker) }), "forbidden");
      await create({ by: by(maker), expiresAt: 4_000_000_000_000 });
      const wider: readonly GrantRecord[] = [{ rights: ["write"], albums: "*" }];
      await expectCode(create({ by: by(maker), grants: wider, expiresAt: 1 }), "forbidden");
      await catalog.write({ type: "updateKey", id: maker.id, patch: { expiresAt: 1 } });
      await expectCode(create({ by: by(maker), expiresAt: 1 }), "unauthorized");
      await revoke(maker.id);
      await expectCode(create({ by: by(maker), expiresAt: 1 }), "unauthorized");
    });

    test("of the configuration gives no more than its request says that it has", async () => {
      const root: Requester = { actor: { kind: "key", id: "root", name: "root" }, albums: "all", shared: "all" };
      await create({ by: root, gives: ADMIN });
      const wider: readonly GrantRecord[] = [{ rights: ["write"], albums: "*" }];
      await expectCode(create({ by: root, gives: ADMIN, grants: wider }), "forbidden");
    });

    test("is revoked alone, or with what it made, through keys that were revoked before", async () => {
      const first = await create({ grants: ADMIN });
      const second = await create({ grants: ADMIN, by: by(first) });
      const third = await create({ grants: ADMIN, by: by(second) });
      const other = await create();
      expect(await revoke(second.id)).toMatchObject({ keys: 1 });
      expect((await catalog.key(third.id))?.revokedAt).toBeNull();
      expect(await revoke(first.id, { recursive: true })).toMatchObject({ keys: 2 });
      expect((await catalog.key(third.id))?.revokedAt).toBeString();
      expect((await catalog.key(other.id))?.revokedAt).toBeNull();
    });

    test("takes the shares and tickets that it made with it, also those of the keys that it made, and no others", async () => {
      const album = await createAlbum(catalog, "shared");
      const maker = await create({ grants: ADMIN });
      const child = await create({ grants: ADMIN, by: by(maker) });
      const other = await create();
      const viaSession: Requester = {
        ...by(maker),
        actor: { kind: "session", id: "s", name: "web", base: { kind: "key", id: maker.id } },
      };
      const shares = new Map<string, string>();
      for (const [who, requester] of Object.entries({
        maker: by(maker),
        session: viaSession,
        child: by(child),
        other: by(other),
      })) {
        shares.set(who, (await share(album, requester)).id);
        const chargedTo = who === "session" ? maker.id : (requester.actor.id ?? "");
        await ticket(album, { ...requester, chargedTo });
      }
      const before = (await catalog.accessState()).revision;
      expect(await revoke(maker.id)).toEqual({ keys: 1, shares: 0, tickets: 0 });
      expect(await revoke(maker.id, { recursive: true })).toEqual({ keys: 1, shares: 3, tickets: 3 });
      expect((await catalog.accessState()).revision).toBe(before + 2);
      expect(await revoke(maker.id, { recursive: true })).toEqual({ keys: 0, shares: 0, tickets: 0 });
      for (const [who, id] of shares)
        expect([who, (await catalog.credential("share", id))?.isRevoked]).toEqual([who, who !== "other"]);
      const left = await catalog.tickets({ albumId: album.id, orderBy: "createdAt", limit: 10 });
      expect(left.items.map(({ createdBy }) => createdBy.id)).toEqual([other.id]);
      const ends = (await audit()).filter(({ type }) => /^(share|ticket)\.revoked$/.test(type));
      expect(ends.map(({ type }) => type).sort()).toEqual([
        ...Array.from({ length: 3 }, () => "share.revoked"),
        ...Array.from({ length: 3 }, () => "ticket.revoked"),
      ]);
      expect(new Set(ends.map(({ albumId }) => albumId))).toEqual(new Set([album.id]));
    });

    test("makes no share that its revocation does not see", async () => {
      const album = await createAlbum(catalog, "shared");
      for (let round = 0; round < 20; round++) {
        const maker = await create();
        const makes = Promise.allSettled(Array.from({ length: 4 }, () => share(album, by(maker))));
        await revoke(maker.id, { recursive: true });
        for (const outcome of await makes)
          if (outcome.status === "fulfilled")
            expect((await catalog.credential("share", outcome.value.id))?.isRevoked).toBe(true);
        await expectCode(share(album, by(maker)), "unauthorized");
      }
    });

    test("leaves no key behind when both happen at once and its own are revoked too", async () => {
      for (let round = 0; round < 20; round++) {
        const maker = await create({ grants: ADMIN });
        const makes = Promise.allSettled(Array.from({ length: 4 }, () => create({ by: by(maker) })));
        const revokes = revoke(maker.id, { recursive: true });
        const outcomes = await makes;
        await revokes;
        for (const outcome of outcomes)
          if (outcome.status === "fulfilled") expect((await catalog.key(outcome.value.id))?.revokedAt).toBeString();
      }
    });
  });

  describe("a listing of keys", () => {
    test("has each once, in the order in which they were made, with or without revoked ones", async () => {
      const keys: Key[] = [];
      for (let number = 0; number < 7; number++) keys.push(await create());
      await revoke(keys[2]?.id ?? "");
      const ids = keys.map(({ id }) => id);
      for (const limit of [1, 2, 3, 7, 8]) {
        expect(await idsIn(catalog, true, limit)).toEqual(ids);
        expect(await idsIn(catalog, false, limit)).toEqual(ids.filter((id) => id !== ids[2]));
      }
    });
  });

  describe("events of the audit trail", () => {
    test("are left out for who does not ask for them, by any filter, and passed over", async () => {
      await create();
      await catalog.write({
        type: "createAlbum",
        id: "a1",
        name: "album",
        fields: { title: null, description: null, metadata: {} },
      });
      for (let number = 0; number < 3; number++) await create();
      await catalog.logged?.();
      const { lastSequence } = await catalog.log();
      const some = { ids: ["a1"], names: [], public: false };
      for (const visibility of ["all", some] as const) {
        const hidden = await catalog.events({ visibility, limit: 10 });
        expect(hidden.events.map(({ type }) => type)).toEqual(["imagestore.album.created"]);
        expect([hidden.next.seq, hidden.atEnd]).toEqual([lastSequence, true]);
        const types = ["imagestore.key.created"] as const;
        expect((await catalog.events({ visibility, limit: 10, types })).events).toEqual([]);
        expect((await catalog.events({ visibility, limit: 10, types, audit: true })).events).toHaveLength(4);
        expect((await catalog.events({ visibility, limit: 10, audit: true })).events).toHaveLength(5);
      }
      const nothing = { ids: [], names: [], public: false };
      expect((await catalog.events({ visibility: nothing, limit: 10, audit: true })).events).toHaveLength(4);
      expect((await catalog.events({ visibility: "all", albumId: "a1", limit: 10, audit: true })).events).toHaveLength(
        1,
      );
    });
  });
}
