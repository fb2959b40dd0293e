import { describe, expect, test } from "bun:test";
import { RIGHTS, type Right } from "../../src/domain/access.ts";
import {
  authorize,
  type Caller,
  type Grant,
  LOCAL,
  may,
  mayEverywhere,
  visibleAlbums,
} from "../../src/domain/caller.ts";
import { StoreError } from "../../src/domain/errors.ts";
import { includesAlbum } from "../../src/domain/visibility.ts";

const grant = (rights: readonly Right[], albums: Grant["albums"]): Grant => ({ rights: new Set(rights), albums });
const keyWith = (...grants: Grant[]): Caller => ({ kind: "key", id: "k", name: "k", grants });
const ANONYMOUS: Caller = { kind: "anonymous", id: null, name: null, grants: [] };

const editor = keyWith(
  grant(["read"], { names: ["u-*", "Shared"] }),
  grant(["read", "write"], { ids: ["1"], names: ["u-7-*"] }),
);

describe("what a caller sees", () => {
  test("is everything under a grant on all albums, and what is public without a grant", () => {
    expect(visibleAlbums(LOCAL, "read")).toBe("all");
    expect(visibleAlbums(keyWith(grant(["read"], { ids: ["1"] }), grant(["read"], "*")))).toBe("all");
    expect(visibleAlbums(ANONYMOUS)).toEqual({ ids: [], names: [], public: true });
    expect(visibleAlbums(keyWith(grant(["write"], "*")), "delete")).toEqual({ ids: [], names: [], public: false });
  });

  test("is what all of its grants with the right name, the same in whatever order they come", () => {
    expect(visibleAlbums(editor, "write")).toEqual({ ids: ["1"], names: ["u-7-*"], public: false });
    expect(visibleAlbums(editor)).toEqual({ ids: ["1"], names: ["Shared", "u-*", "u-7-*"], public: true });
    expect(visibleAlbums({ ...editor, grants: editor.grants.toReversed() })).toEqual(visibleAlbums(editor));
  });

  test.each([
    ["an id", true, { id: "1", name: "x" }],
    ["another id", false, { id: "11", name: "x" }],
    ["a name", true, { id: "2", name: "Shared" }],
    ["a name in another case", false, { id: "2", name: "shared" }],
    ["a name that begins like one", false, { id: "2", name: "Shared 2" }],
    ["a name that begins as a pattern says", true, { id: "2", name: "u-1" }],
    ["a name that is a pattern without its star", true, { name: "u-" }],
    ["a name that has a pattern inside", false, { name: "x u-1" }],
    ["a name that is an id", false, { name: "1" }],
    ["its visibility", true, { id: "2", name: "x", visibility: "public" as const }],
    ["its visibility, where it is private", false, { id: "2", name: "x", visibility: "private" as const }],
  ])("includes an album by %s: %p", (_by, isSeen, album) => {
    expect(includesAlbum(visibleAlbums(editor, "read"), album)).toBe(isSeen);
  });
});

describe("what a caller may do", () => {
  test("is asked for an album, or for any", () => {
    expect(may(editor, "write")).toBeTrue();
    expect(may(editor, "write", { name: "u-7-trip" })).toBeTrue();
    expect(may(editor, "write", { name: "u-8-trip" })).toBeFalse();
    expect(may(editor, "transform")).toBeFalse();
    expect(mayEverywhere(editor, "read")).toBeFalse();
    for (const right of RIGHTS) expect(may(LOCAL, right, { name: "any" }) && mayEverywhere(LOCAL, right)).toBeTrue();
  });

  test("never includes administration by a grant on some albums", () => {
    expect(may(keyWith(grant(["admin"], { names: ["*"] })), "admin")).toBeFalse();
    expect(may(keyWith(grant(["admin"], "*")), "admin")).toBeTrue();
  });

  test.each<[string, Caller, string, string]>([
    ["a client without a key", ANONYMOUS, "unauthorized", "An API key is needed: Authorization: Bearer <key>."],
    ["a key without the right", keyWith(), "forbidden", 'The API key lacks the right "write".'],
    ["a key with the right elsewhere", editor, "forbidden", 'The API key lacks the right "write" for this album.'],
  ])("is refused to %s", (_who, caller, code, message) => {
    let thrown: unknown;
    try {
      authorize(caller, "write", { id: "9", name: "Shared" });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(StoreError);
    expect(thrown).toMatchObject({ code, message, members: code === "forbidden" ? { missing: ["write"] } : {} });
  });
});
