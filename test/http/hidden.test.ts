import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { answerTo, createHiddenStore, type HiddenStore } from "./hidden-store.ts";
import { operations, type RouteRequest, requestsTo } from "./route-requests.ts";

/** What a caller must not know of is answered as what never was, on every route, to the byte. */

let at: HiddenStore;
beforeAll(async () => {
  at = await createHiddenStore();
});
afterAll(() => at[Symbol.asyncDispose]());

const PARAMETERS = ["album", "image", "id", "sha256", "ticket", "share", "key"];
const named = operations.filter(
  ({ path }) =>
    /\{(album|id|key)\}/.test(path) &&
    [...path.matchAll(/\{(\w+)\}/g)].every(([, name = ""]) => PARAMETERS.includes(name)),
);

test("the routes that name an album or an image are found", () => {
  expect(named.length).toBeGreaterThan(15);
  expect(named.map(({ method, path }) => `${method} ${path}`)).toContain("GET /v1/images/{id}/content/{sha256}");
});

describe.each(named.map((operation) => [`${operation.method} ${operation.path}`, operation] as const))(
  "%s",
  (_name, operation) => {
    test("answers what is hidden as it answers what never was", async () => {
      const queries = ["", "?recursive=true", "?w=160", "?w=161&v=1", "?pageSize=1", "?nothing=1"];
      const conditions: Readonly<Record<string, string>>[] = [
        {},
        { "If-Match": "*" },
        { "If-None-Match": "*" },
        { Range: "bytes=0-0" },
        { "If-Unmodified-Since": "Sun, 06 Nov 1994 08:49:37 GMT" },
        ...at.tags.flatMap((tag) => [{ "If-Match": tag }, { "If-None-Match": tag }]),
      ];
      let compared = 0;
      for (const [who, caller] of Object.entries(at.callers)) {
        const [there, absent] = [requestsTo(operation, at.hidden), requestsTo(operation, at.never)];
        for (const [index, request] of there.entries())
          for (const query of queries)
            for (const condition of query === "" ? conditions : [{}]) {
              const other = absent[index] as RouteRequest;
              const asked = (of: RouteRequest): RouteRequest => ({
                ...of,
                path: of.path.includes("?") ? of.path + query.replace("?", "&") : of.path + query,
                headers: { ...of.headers, ...condition },
              });
              const [one, two] = [
                await answerTo(at, asked(request), caller, at.hidden),
                await answerTo(at, asked(other), caller, at.never),
              ];
              expect({ who, query, condition, ...one }).toEqual({ who, query, condition, ...two });
              expect([who, query, one.status < 400]).toEqual([who, query, false]);
              compared++;
            }
      }
      expect(compared).toBeGreaterThan(20);
    });
  },
);

describe.each([...new Set(named.map(({ path }) => path))])("%s", (path) => {
  test("answers methods, preflights and HEAD for what is hidden as for what never was", async () => {
    const origin = { Origin: "https://page.example", "Access-Control-Request-Method": "PUT" };
    for (const method of ["OPTIONS", "HEAD", "GET", "POST", "PUT", "PATCH", "DELETE"]) {
      const operation = { method, path, bodies: {} };
      const [there] = requestsTo(operation, at.hidden);
      const [absent] = requestsTo(operation, at.never);
      for (const [who, caller] of Object.entries(at.callers))
        for (const headers of method === "OPTIONS" ? [{}, origin] : [{}]) {
          const one = await answerTo(at, { ...(there as RouteRequest), headers }, caller, at.hidden);
          const two = await answerTo(at, { ...(absent as RouteRequest), headers }, caller, at.never);
          expect({ who, method, ...one }).toEqual({ who, method, ...two });
        }
    }
  });
});
