import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { RIGHTS } from "../../../src/domain/access.ts";
import type { RouteDefinition } from "../../../src/http/route.ts";
import { type Operation, operationOf, operations } from "../route-requests.ts";
import { cellsOf, mismatches } from "./matrix/ask.ts";
import { batchOf, expectedLinks, knownTo, linksTo, readAll, visibleTo } from "./matrix/listings.ts";
import { holds, refusalOf } from "./matrix/model.ts";
import { createLocalWorld, createWorld, type World } from "./matrix/world.ts";

/**
 * Each route of the table, asked by each kind of caller with each right, about albums that are private or public, in its grants
 * by id, name or prefix or not at all, and made by it or by another. What must come of it follows from the route's definition
 * and the caller's grants, by a model of its own.
 */

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const operationNamed = (id: string): Operation => {
  const found = operations.find(({ definition }) => definition.operationId === id);
  if (found === undefined) throw new Error(`There is no operation ${id}.`);
  return found;
};
const planted = (id: string, change: Partial<RouteDefinition>): Operation =>
  operationOf({ ...operationNamed(id).definition, ...change });

test("callers of every kind and with every right are in the matrix", () => {
  const { callers } = world;
  const kinds = new Set(callers.map(({ kind }) => kind));
  expect([...kinds].sort()).toEqual(["anonymous", "key", "link", "session", "share", "ticket", "token"]);
  const alone = callers.flatMap(({ grants }) => (grants.length === 1 ? grants : [])).map(({ rights }) => rights.join());
  expect(RIGHTS.filter((right) => !alone.includes(right))).toEqual([]);
});

describe.each(operations.map((operation) => [`${operation.method} ${operation.path}`, operation] as const))(
  "%s",
  (_name, operation) => {
    test("answers each caller as its definition and the caller's grants say", async () => {
      const cells = cellsOf(world, operation);
      expect(cells.length).toBeGreaterThanOrEqual(world.callers.length);
      expect(await mismatches(world, operation, cells)).toEqual([]);
    });
  },
);

describe("the matrix fails for", () => {
  test("a route that has a parameter for which there is no value", () => {
    const route = planted("getKey", { path: "/v1/planted/{planted}" });
    expect(() => cellsOf(world, route)).toThrow("GET /v1/planted/{planted} has a parameter without a value");
  });

  test("a route that has no example of its body", async () => {
    expect((await mismatches(world, planted("createAlbum", { operationId: "planted" }))).length).toBeGreaterThan(0);
  });

  test.each([
    ["getAlbum", "share"],
    ["listAlbums", "events"],
    ["updateImage", "delete"],
    ["getMe", "admin"],
    ["listShares", "read"],
    ["getRoot", "any"],
  ] as const)("%s, if its definition says that it needs %s", async (id, right) => {
    expect((await mismatches(world, planted(id, { right }))).length).toBeGreaterThan(0);
  });
});

test("listings show each caller what its grants give and nothing else", async () => {
  const everything = await readAll(world, world.root);
  expect(everything.albums.length).toBeGreaterThan(world.sites.size / 2);
  for (const who of world.callers.filter(({ kind }) => kind !== "ticket" && kind !== "link")) {
    const [seen, due] = [await readAll(world, who.headers), visibleTo(who, everything)];
    for (const list of ["albums", "images", "events"] as const)
      expect([who.name, list, ids(seen[list])]).toEqual([who.name, list, ids(due[list])]);
    const known = [...world.sites.values()].filter((site) => site.id !== undefined && holds(who, "read", site));
    expect([who.name, await knownTo(world, who)]).toEqual([who.name, known.map(({ name }) => name).sort()]);
  }
});

const ids = (records: readonly { readonly id: string }[]) => records.map(({ id }) => id).sort();

test("of many links in one request, each is made as one alone would be", async () => {
  const makers = world.callers.filter(({ grants }) => grants.some(({ rights }) => rights.includes("share")));
  expect(makers.length).toBeGreaterThan(5);
  for (const who of makers) {
    const links = expectedLinks(world, who, operationNamed("createLink").definition);
    expect([who.name, await linksTo(world, who)]).toEqual([who.name, links]);
  }
});

test("of many operations in one batch, each is answered as its own request would be", async () => {
  const writers = world.callers.filter(
    (who) => refusalOf(operationNamed("runBatch").definition, who, {}) === undefined,
  );
  expect(writers.length).toBeGreaterThan(8);
  for (const who of writers) {
    const outcomes = await batchOf(world, who, (id) => operationNamed(id).definition);
    expect([who.name, outcomes.filter(([is, due]) => !due.includes(is))]).toEqual([who.name, []]);
  }
});

const isLast = ({ definition: { operationId } }: Operation) => operationId === "createKey";

test("a store without keys lets every client do everything, until it has one", async () => {
  await using local = await createLocalWorld();
  for (const operation of [...operations.filter((each) => !isLast(each)), ...operations.filter(isLast)]) {
    const cells = cellsOf(local, operation).map(({ who, asked }) => {
      if (!operation.path.includes("{key}")) return { who, asked };
      return { who, asked: { ...asked, fresh: undefined, accepted: [...(asked.accepted ?? []), "404 key_not_found"] } };
    });
    expect(await mismatches(local, operation, cells.slice(0, isLast(operation) ? 1 : cells.length))).toEqual([]);
  }
  expect((await local.store.fetch("/v1/events")).status).toBe(401);
});
