import type { Operation } from "../../route-requests.ts";
import type { Who } from "./callers.ts";
import { type Case, casesFor, expected, isAboutAlbum } from "./cases.ts";
import type { World } from "./world.ts";

/** A caller and what it asks for. */
export interface Cell {
  readonly who: Who;
  readonly asked: Case;
}

/** All that an operation is asked. @throws Error for one that needs an entry and has none */
export function cellsOf(world: World, operation: Operation): readonly Cell[] {
  return world.callers.flatMap((who) => {
    const sites = isAboutAlbum(operation) ? who.sites : who.sites.slice(0, 1);
    return sites.flatMap((name) => {
      const site = world.sites.get(name);
      if (site === undefined) throw new Error(`There is no album ${name}.`);
      return casesFor(world, operation, who, site).map((asked) => {
        const { request } = asked;
        if (who.queryFor === undefined) return { who, asked };
        const path = `${request.path}${request.path.includes("?") ? "&" : "?"}${who.queryFor(site) || OF_NOTHING}`;
        return { who, asked: { ...asked, fresh: undefined, request: { ...request, path } } };
      });
    });
  });
}

const OF_NOTHING = "expires=9999999999&key=store&signature=none";

/** Status, code, and the right that is missing. */
async function outcomeOf(world: World, { who, asked }: Cell, mayPass: boolean): Promise<string> {
  const { method, path, headers, body } = mayPass && asked.fresh ? await asked.fresh() : asked.request;
  const init = { method, headers: { ...who.headers, ...headers }, ...(body === undefined ? {} : { body }) };
  const response = await world.store.fetch(path, init);
  if (response.status < 400) {
    await response.body?.cancel();
    return String(response.status);
  }
  const { code, missing = [] } = (await response.json()) as { code: string; missing?: readonly string[] };
  return [response.status, code, ...missing].join(" ");
}

const AT_ONCE = 24;

/** Asks them all. Returns a line for each whose outcome is another than it should be. */
export async function mismatches(
  world: World,
  operation: Operation,
  cells: readonly Cell[] = cellsOf(world, operation),
): Promise<readonly string[]> {
  const found: string[] = [];
  const left = cells.values();
  const worker = async () => {
    for (const cell of left) {
      const { who, asked } = cell;
      const allowed = expected(operation, who, asked);
      const mayPass = allowed[0]?.startsWith("2") === true;
      if (mayPass && asked.spoils && asked.fresh === undefined) continue;
      const outcome = await outcomeOf(world, cell, mayPass);
      if (!allowed.includes(outcome))
        found.push(`${who.name}: ${asked.label} ${asked.request.path} is ${outcome}, not ${allowed.join(" or ")}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return found;
}
