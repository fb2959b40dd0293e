import { afterEach, beforeEach, expect, test } from "bun:test";
import type { CreateSession, CreateShare } from "../../src/domain/access-changes.ts";
import { type Album, EMPTY_ALBUM_FIELDS } from "../../src/domain/album.ts";
import { may } from "../../src/domain/caller.ts";
import type { Requester } from "../../src/domain/change.ts";
import { toGrant } from "../../src/domain/grant.ts";
import { makeSecret } from "../../src/operations/secrets.ts";
import { createAlbum, createImage, imageNamed, type OpenCatalog, type OpenedCatalog, put } from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";

const HOUR = 3_600_000;

const within = (names: readonly string[]) => [{ ids: [], names, public: false }];

/** Shares, and the sessions of browsers. */
export function shareContract(open: OpenCatalog): void {
  let catalog: OpenedCatalog;
  let album: Album;
  beforeEach(async () => {
    catalog = await open();
    album = await createAlbum(catalog, "shared");
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  function share(more: Partial<CreateShare> = {}) {
    const { id, sha256 } = makeSecret("share");
    const wish = { label: "Ann", rights: ["read"], originals: false, expiresAt: null, within: [] } as const;
    return catalog.write({ type: "createShare", id, sha256, albumId: album.id, ...wish, ...more });
  }

  const revoke = (id: string) => catalog.write({ type: "revokeShare", albumId: album.id, id });
  const revision = async () => (await catalog.accessState()).revision;

  function signIn(more: Partial<CreateSession> & Pick<CreateSession, "origin">) {
    const { id, sha256 } = makeSecret("session");
    return catalog.write({ type: "createSession", id, sha256, life: HOUR, endsBy: null, ...more });
  }

  const lives = async (id: string | undefined) => (await catalog.credential("session", id ?? "")) !== undefined;

  test("a share gives a caller with its rights on its album alone, by its id", async () => {
    const other = await createAlbum(catalog, "other");
    const cases = [
      [["read"], false, [true, false, false]],
      [["read"], true, [true, true, false]],
      [["read", "write"], false, [true, false, true]],
    ] as const;
    for (const [rights, originals, expected] of cases) {
      const { id } = await share({ rights, originals });
      const caller = (await catalog.credential("share", id))?.caller;
      if (caller === undefined) throw new Error("There is no credential.");
      expect(caller).toMatchObject({ kind: "share", id, name: "Ann" });
      const needs = ["read", "originals", "add"] as const;
      expect(needs.map((need) => may(caller, need, album))).toEqual([...expected]);
      for (const need of [...needs, "write", "delete", "share", "events", "transform", "admin"] as const)
        expect([need, may(caller, need, other)]).toEqual([need, false]);
      for (const right of ["write", "delete", "share", "events", "transform", "admin"] as const)
        expect([right, may(caller, right, album)]).toEqual([right, false]);
      expect(may(caller, "read", { id: other.id, name: album.name })).toBe(false);
    }
  });

  test("a revoked share is known to be that, and is in no listing", async () => {
    const [one, two] = [await share(), await share()];
    const before = await revision();
    await revoke(one.id);
    expect(await revision()).toBeGreaterThan(before);
    expect((await catalog.credential("share", one.id))?.isRevoked).toBe(true);
    expect((await catalog.credential("share", two.id))?.isRevoked).toBe(false);
    expect(await catalog.share(one.id)).toBeUndefined();
    expect((await catalog.shares({ albumId: album.id, limit: 10 })).items.map(({ id }) => id)).toEqual([two.id]);
    await expectCode(revoke(one.id), "share_not_found");
    const other = await createAlbum(catalog, "other");
    await expectCode(catalog.write({ type: "revokeShare", albumId: other.id, id: two.id }), "share_not_found");
  });

  test("a share ends when the deletion of its album begins", async () => {
    const { id } = await share();
    await createImage(catalog, album, "one");
    await createImage(catalog, album, "two");
    const before = await revision();
    const deletion = { type: "deleteAlbum", albumId: album.id, recursive: true } as const;
    expect(await catalog.write({ ...deletion, atOnce: 1 })).toEqual({ done: false });
    expect(await revision()).toBeGreaterThan(before);
    expect(await catalog.credential("share", id)).toBeUndefined();
    await catalog.write({ type: "deleteAlbumChunk", albumId: album.id, limit: 10 });
    expect(await catalog.credential("share", id)).toBeUndefined();
    expect(await catalog.share(id)).toBeUndefined();
    // An album without shares ends none.
    const plain = await createAlbum(catalog, "plain");
    const after = await revision();
    await catalog.write({ type: "deleteAlbum", albumId: plain.id, recursive: false });
    expect(await revision()).toBe(after);
  });

  test("a share is made only where the album is in reach of all that it gives", async () => {
    const actor = { kind: "key", id: "k", name: "k" } as const;
    const by = (names: readonly string[]): Requester => {
      const albums = { ids: [], names, public: false };
      return { actor, albums, shared: albums };
    };
    expect((await share({ by: by(["sh*"]), within: within(["shared"]) })).createdBy).toEqual(actor);
    await expectCode(share({ by: by(["other"]), within: within(["shared"]) }), "album_not_found");
    await expectCode(share({ by: by(["shared"]), within: within(["other"]) }), "album_not_found");
    await catalog.write({ type: "updateAlbum", albumId: album.id, patch: { name: "moved" } });
    await expectCode(share({ by: by(["*"]), within: within(["shared"]) }), "album_not_found");
    await expectCode(share({ albumId: Bun.randomUUIDv7() }), "album_not_found");
  });

  test("a requester that only adds images changes none, but may repeat what it added", async () => {
    await createImage(catalog, album, "there");
    const adding = { mode: "put", addOnly: true } as const;
    const mine = imageNamed("mine");
    expect((await put(catalog, album, [mine], adding))[0]?.created).toBe(true);
    expect((await put(catalog, album, [imageNamed("mine")], adding))[0]?.created).toBe(false);
    const fields = { ...EMPTY_ALBUM_FIELDS, tags: ["x"], focalPoint: null };
    await expectCode(put(catalog, album, [imageNamed("there", { fields })], adding), "forbidden");
    const other = imageNamed("other bytes");
    await expectCode(put(catalog, album, [{ ...other, name: "there" }], adding), "forbidden");
  });

  test("uses of a share are counted", async () => {
    const { id } = await share();
    const at = Date.now();
    await catalog.write({ type: "noteUses", uses: [{ kind: "share", id, count: 3, at }] });
    await catalog.write({ type: "noteUses", uses: [{ kind: "share", id, count: 0, at: at + 1000 }] });
    expect(await catalog.share(id)).toMatchObject({ uses: 3, lastUsedAt: new Date(at + 1000).toISOString() });
  });

  test("a session is what its share is now, and no longer", async () => {
    const expiresAt = Date.now() + HOUR / 2;
    const { id: shareId } = await share({ expiresAt });
    const { id } = await signIn({ origin: { kind: "share", id: shareId } });
    const found = await catalog.credential("session", id);
    const base = { kind: "share", id: shareId };
    expect(found).toMatchObject({ expiresAt, isRevoked: false, caller: { kind: "session", id, name: "Ann", base } });
    expect(found?.caller.grants).toEqual((await catalog.credential("share", shareId))?.caller.grants ?? []);
    await revoke(shareId);
    expect((await catalog.credential("session", id))?.isRevoked).toBe(true);
  });

  test("a session is what its key is now, and no longer", async () => {
    const { id: keyId, sha256 } = makeSecret("key");
    const grants = [{ rights: ["read" as const], albums: "*" as const }];
    await catalog.write({ type: "createKey", id: keyId, sha256, name: "site", grants, expiresAt: null });
    const { id } = await signIn({ origin: { kind: "key", id: keyId } });
    const caller = async () => (await catalog.credential("session", id))?.caller;
    expect(await caller()).toMatchObject({ name: "site", grants: grants.map(toGrant) });
    const narrower = [{ rights: ["read" as const], albums: { ids: [album.id] } }];
    await catalog.write({ type: "updateKey", id: keyId, patch: { grants: narrower } });
    expect((await caller())?.grants).toEqual(narrower.map(toGrant));
    await catalog.write({ type: "revokeKey", id: keyId, recursive: false });
    expect((await catalog.credential("session", id))?.isRevoked).toBe(true);
  });

  test("a session of a token keeps what the token says, and one of a configured key names it", async () => {
    const token = {
      type: "JWT",
      algorithm: "ES256",
      key: "thumbprint",
      claims: { sub: "u-1", roles: ["a", { b: 1 }] },
    };
    const endsBy = Date.now() + HOUR / 4;
    const one = await signIn({ origin: { kind: "token", id: "u-1", name: "Una", token }, endsBy });
    expect(await catalog.credential("session", one.id)).toMatchObject({
      expiresAt: endsBy,
      token,
      caller: { kind: "session", name: "Una", grants: [], base: { kind: "token", id: "u-1" } },
    });
    const two = await signIn({ origin: { kind: "configured", key: { name: "boss", sha256: "5f" } } });
    expect(await catalog.credential("session", two.id)).toMatchObject({
      configuredKey: { name: "boss", sha256: "5f" },
      caller: { grants: [], base: { kind: "key", id: "boss" } },
    });
  });

  test("a deleted session is unknown, as is the one that another takes the place of", async () => {
    const origin = { kind: "configured", key: { name: "boss", sha256: "5f" } } as const;
    const one = await signIn({ origin });
    let before = await revision();
    const two = await signIn({ origin, replaces: one.id });
    expect(await revision()).toBeGreaterThan(before);
    expect(await catalog.credential("session", one.id)).toBeUndefined();
    before = await revision();
    await catalog.write({ type: "deleteSession", id: two.id });
    expect(await revision()).toBeGreaterThan(before);
    expect(await catalog.credential("session", two.id)).toBeUndefined();
    before = await revision();
    await catalog.write({ type: "deleteSession", id: two.id });
    expect(await revision()).toBe(before);
  });

  test("of a share at most 1,000 sessions live: a newer one ends the oldest, and none of another share", async () => {
    const [guests, others] = [await share(), await share()];
    const other = await signIn({ origin: { kind: "share", id: others.id } });
    const origin = { kind: "share", id: guests.id } as const;
    const signInTimes = async (count: number) => {
      const ids: string[] = [];
      for (let index = 0; index < count; index += 1) ids.push((await signIn({ origin })).id);
      return ids;
    };
    const oldest = await signInTimes(2);
    // Sessions of one millisecond have no order, and those of the next are newer.
    await Bun.sleep(2);
    const newer = await signInTimes(1000);
    expect(await Promise.all([...oldest, other.id].map(lives))).toEqual([false, false, true]);
    expect((await Promise.all(newer.map(lives))).filter(Boolean)).toHaveLength(1000);
  });

  test("expired sessions are pruned, a few at a time, and others stay", async () => {
    const origin = { kind: "configured", key: { name: "boss", sha256: "5f" } } as const;
    const kept = await signIn({ origin });
    for (let index = 0; index < 3; index++) await signIn({ origin, life: -1 });
    const prune = () => catalog.write({ type: "pruneSessions", limit: 2 });
    expect([await prune(), await prune(), await prune()]).toEqual([{ pruned: 2 }, { pruned: 1 }, { pruned: 0 }]);
    expect(await catalog.credential("session", kept.id)).toBeDefined();
  });
}
