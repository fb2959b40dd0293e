import type { Album } from "../../../../src/domain/album.ts";
import type { CloudEvent } from "../../../../src/domain/event.ts";
import type { Image } from "../../../../src/domain/image.ts";
import type { RouteDefinition } from "../../../../src/http/route.ts";
import { jsonOf } from "../../harness.ts";
import type { Who } from "./callers.ts";
import { type Asked, holds, type Place, refusalOf } from "./model.ts";
import type { Headers, Site } from "./sites.ts";
import type { World } from "./world.ts";

async function allPages<Item>({ store }: World, path: string, headers: Headers): Promise<readonly Item[]> {
  const items: Item[] = [];
  let token: string | undefined;
  do {
    const at = `${path}?pageSize=1000${token === undefined ? "" : `&pageToken=${token}`}`;
    const page = await jsonOf<{ items: Item[]; nextPageToken?: string }>(await store.fetch(at, { headers }));
    items.push(...page.items);
    token = page.nextPageToken;
  } while (token !== undefined);
  return items;
}

/** The whole log, or what the caller sees of it. */
async function allEvents({ store }: World, headers: Headers): Promise<readonly CloudEvent[]> {
  const events: CloudEvent[] = [];
  for (let after = ""; ; ) {
    const response = await store.fetch(`/v1/events?limit=1000${after}`, { headers });
    if (response.status === 401 || response.status === 403) return [];
    const { items, nextCursor } = await jsonOf<{ items: CloudEvent[]; nextCursor: string }>(response);
    const next = `&after=${nextCursor}`;
    if (next === after) return events;
    events.push(...items);
    after = next;
  }
}

/** All that there is, which a caller who may do everything sees. */
export interface Everything {
  readonly albums: readonly Album[];
  readonly images: readonly Image[];
  readonly events: readonly CloudEvent[];
}

export const readAll = async (world: World, headers: Headers): Promise<Everything> => ({
  albums: await allPages<Album>(world, "/v1/albums", headers),
  images: await allPages<Image>(world, "/v1/images", headers),
  events: await allEvents(world, headers),
});

const placeOf = ({ id, name, visibility }: Album): Place => ({ id, name, isPublic: visibility === "public" });

/** What the caller should see of it. */
export function visibleTo(who: Who, { albums, images, events }: Everything): Everything {
  const seen = albums.filter((album) => holds(who, "read", placeOf(album)));
  const ids = new Set(seen.map(({ id }) => id));
  const isAdmin = who.grants.some((grant) => grant.albums === "*" && grant.rights.includes("admin"));
  const mayFollow = who.grants.some((grant) => grant.rights.includes("events"));
  return {
    albums: seen,
    images: images.filter(({ albumId }) => ids.has(albumId)),
    events: events.filter((event) => {
      if (!/\.(album|image)\./.test(event.type)) return isAdmin && mayFollow;
      return holds(who, "events", placeOfEvent(event));
    }),
  };
}

/** An album as it was called when the event was written. That it is public gives no events. */
function placeOfEvent({ data, partitionkey, type }: CloudEvent): Place {
  const name = type.includes(".image.") ? (data as Image).album : data.name;
  return { id: partitionkey, name, isPublic: false };
}

/** Images of all sites, asked by their digests in one request. Returns their albums. */
export async function knownTo({ store, sites }: World, who: Who): Promise<readonly string[]> {
  const sha256 = [...sites.values()].map(({ image }) => image.sha256);
  const response = await store.send("POST", "/v1/images/known", { sha256 }, who.headers);
  return (await jsonOf<{ items: { album: string }[] }>(response)).items.map(({ album }) => album).sort();
}

/** A link to an image of each site, asked in one request. Returns `album status code` of each. */
export async function linksTo({ store, sites }: World, who: Who): Promise<readonly string[]> {
  const items = [...sites.values()].map(({ name, image }) => ({ album: name, image: image.name }));
  const response = await store.send("POST", "/v1/links", { items }, who.headers);
  const { items: outcomes } = await jsonOf<{ items: { status?: number; error?: { code: string } }[] }>(response);
  return items.map(({ album }, index) => {
    const { status = 200, error } = outcomes[index] ?? {};
    return [album, status, ...(error === undefined ? [] : [error.code])].join(" ");
  });
}

/** What each link should be. */
export const expectedLinks = ({ sites }: World, who: Who, definition: RouteDefinition): readonly string[] =>
  [...sites.values()].map((site) => {
    const refusal = refusalOf(definition, who, { place: site, byOwnGrants: true });
    return [site.name, ...(refusal === undefined ? [200] : [refusal.status, refusal.code])].join(" ");
  });

/** Operations of batches, with what each is asked about an album. None of those that are allowed spoils anything. */
const ITEMS: Readonly<
  Record<
    string,
    (site: Site) => { readonly item: object; readonly asked?: Partial<Asked>; readonly otherwise?: string }
  >
> = {
  createAlbum: ({ name }) => ({
    item: { body: { name: `${name}.of-a-batch` } },
    asked: { creates: true, place: { name: `${name}.of-a-batch`, id: undefined, isPublic: false } },
    otherwise: "409 album_exists",
  }),
  updateAlbum: ({ name, isPublic }) => ({
    item: { album: name, body: { visibility: isPublic ? "private" : "public" }, ifMatch: '"none"' },
    otherwise: "412 precondition_failed",
  }),
  deleteAlbum: ({ name }) => ({ item: { album: name }, otherwise: "409 album_not_empty" }),
  updateImage: ({ name, spare }) => ({ item: { album: name, image: spare.name, body: { title: "t" } } }),
  deleteImage: ({ name }) => ({ item: { album: name, image: "none" }, otherwise: "404 image_not_found" }),
  moveImage: ({ name }) => ({
    item: { album: name, image: "none", body: { album: name } },
    asked: {
      also: [
        { need: "original", code: "original_not_shared" },
        { need: "add", code: "forbidden" },
      ],
    },
    otherwise: "404 image_not_found",
  }),
  describeImage: ({ spare }) => ({ item: { id: spare.id } }),
};

/** All operations on all sites, in one request. Returns `operation album status code missing` of each, beside what it should be. */
export async function batchOf(
  { store, sites }: World,
  who: Who,
  definitionOf: (operationId: string) => RouteDefinition,
): Promise<readonly (readonly [is: string, due: readonly string[]])[]> {
  const all = [...sites.values()].flatMap((site) =>
    Object.entries(ITEMS).map(([type, of]) => ({ site, type, ...of(site) })),
  );
  const operations = all.map(({ type, item }) => ({ type, ...item }));
  const response = await store.send("POST", "/v1/batches", { atomic: false, operations }, who.headers);
  const { items } = await jsonOf<{
    items: { status: number; error?: { code: string; missing?: readonly string[] } }[];
  }>(response);
  return all.map(({ site, type, asked, otherwise }, index) => {
    const { status = 0, error } = items[index] ?? {};
    const is = [status, ...(error === undefined ? [] : [error.code, ...(error.missing ?? [])])].join(" ");
    const refusal = refusalOf(definitionOf(type), who, { place: site, ...asked });
    const { missing = [] } = refusal ?? {};
    const due =
      refusal === undefined
        ? [otherwise ?? "200", "201", "202", "204"]
        : missing.length === 0
          ? [`${refusal.status} ${refusal.code}`]
          : missing.map((one) => `${refusal.status} ${refusal.code} ${one}`);
    return [`${type} ${site.name} ${is}`, due.map((one) => `${type} ${site.name} ${one}`)] as const;
  });
}
