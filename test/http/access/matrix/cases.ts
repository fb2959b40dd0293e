import { builtAsset } from "../../built-page.ts";
import { newPng } from "../../image-fixtures.ts";
import { type Operation, type RouteRequest, requestsTo, type Target } from "../../route-requests.ts";
import type { Who } from "./callers.ts";
import { type Asked, holds, type Place, type Refusal, refusalOf } from "./model.ts";
import type { Site } from "./sites.ts";
import type { World } from "./world.ts";

/** One request of the matrix, and what comes of it. */
export interface Case extends Asked {
  readonly label: string;
  readonly request: RouteRequest;
  /** Only for a caller who may: with what it will delete or use up, which nothing else needs. */
  readonly fresh?: (() => Promise<RouteRequest>) | undefined;
  /** Changes what other requests are about, so a caller who may is not asked without {@link fresh}. */
  readonly spoils?: true;
  /** `status code` beside the documented successes, where what is asked of a caller who may fails for another reason. */
  readonly accepted?: readonly string[];
  /** `status code` of what a caller who may do it by the definition gets in place of a success. */
  readonly only?: string;
  /** Of another kind of caller than the operation is for. */
  readonly refusal?: Refusal;
}

interface Asking {
  readonly world: World;
  readonly operation: Operation;
  readonly who: Who;
  readonly site: Site;
  readonly target: Target;
  /** The request that the definition documents, to the target. */
  readonly request: RouteRequest;
}

type Variation = (asking: Asking) => Partial<Case> | readonly Partial<Case>[];

let count = 0;
const unique = () => `new-${++count}`;
const asJson = (request: RouteRequest, body: unknown): RouteRequest => ({
  ...request,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});
const withQuery = (request: RouteRequest, query: string): RouteRequest => ({ ...request, path: request.path + query });
const withName = (request: RouteRequest): RouteRequest => ({
  ...request,
  path: request.path.replace("name=new", `name=${unique()}`),
});
/** The request to the target with a parameter of its own. */
const toFresh =
  (
    { operation, target, world, site }: Asking,
    kind: Parameters<World["fresh"]>[0],
    parameter: keyof Target,
    at = site.name,
  ) =>
  async () =>
    onlyRequest(operation, { ...target, [parameter]: await world.fresh(kind, at) });
const toSpare = ({ operation, target, site }: Asking) =>
  onlyRequest(operation, { ...target, image: site.spare.name, id: site.spare.id });

/** What differs from the request of the route table. */
const VARIATIONS: Readonly<Record<string, Variation>> = {
  createAlbum: ({ request, site }) => {
    // Under a name that is as near to the grants as the album is.
    const name = `${site.name}${unique()}`;
    return { request: asJson(request, { name }), creates: true, place: nowhere(name) };
  },
  putAlbum: ({ operation, target, request, site }) => {
    if (site.id !== undefined) return { request };
    const name = `${site.name}${unique()}`;
    return { request: onlyRequest(operation, { ...target, album: name }), place: nowhere(name) };
  },
  updateAlbum: ({ request, operation, target, world, site }) => [
    { request: asJson(request, { title: "t" }) },
    {
      label: "visibility",
      request: asJson(request, { visibility: site.isPublic ? "private" : "public" }),
      also: [{ need: "share", code: "forbidden" }],
      spoils: true,
      fresh: site.name.startsWith("prefix.")
        ? async () =>
            asJson(onlyRequest(operation, { ...target, album: await world.fresh("album", "prefix.") }), {
              visibility: "public",
            })
        : undefined,
    },
  ],
  deleteAlbum: (asking) => {
    const { request, site } = asking;
    return site.name.startsWith("prefix.")
      ? { request: withQuery(request, "?recursive=true"), fresh: toFresh(asking, "album", "album", "prefix.") }
      : { request, accepted: ["409 album_not_empty"] };
  },
  runBatch: ({ request, site }) => {
    const operations = [{ type: "deleteImage", album: site.name, image: "none" }];
    return { request: asJson(request, { atomic: false, operations }) };
  },
  createImage: ({ request }) => ({ request: withName(request) }),
  createImages: ({ request }) => {
    const body = new FormData();
    body.append("file", new File([newPng()], unique()));
    return { request: { ...request, body } };
  },
  putImageContent: (asking) => {
    const { operation, target } = asking;
    return [
      { label: "new", request: onlyRequest(operation, { ...target, image: unique() }) },
      {
        label: "replace",
        request: { ...toSpare(asking), body: newPng() },
        also: [{ need: "write", code: "forbidden" }],
      },
    ];
  },
  updateImage: (asking) => ({ request: asJson(toSpare(asking), { title: "t" }) }),
  deleteImage: (asking) => ({ request: toSpare(asking), fresh: toFresh(asking, "image", "image") }),
  moveImage: (asking) => {
    const moved = (request: RouteRequest) => asJson(request, { album: asking.site.name, name: unique() });
    const fresh = toFresh(asking, "image", "image");
    return {
      request: moved(toSpare(asking)),
      fresh: async () => moved(await fresh()),
      also: [
        { need: "original", code: "original_not_shared" },
        { need: "add", code: "forbidden" },
      ],
    };
  },
  copyImage: ({ request, site, who }) => ({
    request: asJson(request, { album: site.name, name: unique() }),
    also: [
      { need: "original", code: "original_not_shared" },
      ...(who.kind === "anonymous" ? [] : [{ need: "add", code: "forbidden" } as const]),
    ],
    // It may read what is public, and add nothing.
    ...(who.kind === "anonymous" ? { only: "401 unauthorized" } : {}),
  }),
  createKnownImage: ({ request, site, who }) => ({
    request: asJson(request, { sha256: site.image.sha256, name: unique() }),
    ...(holds(who, "original", site) ? {} : { only: "404 bytes_not_found" }),
  }),
  describeImage: (asking) => ({ request: toSpare(asking) }),
  getAlbumZip: ({ request }) => ({ request, also: [{ need: "original", code: "original_not_shared" }] }),
  getImageContent: ({ request }) => contentCases(request),
  getImageVersionContent: ({ request, who }) => (who.kind === "link" ? linkCases(request) : contentCases(request)),
  createLinks: ({ request, site }) => ({
    request: asJson(request, { items: [{ album: site.name, image: site.image.name }] }),
    place: undefined,
  }),
  deleteTicket: (asking) => ({ fresh: toFresh(asking, "ticket", "ticket") }),
  createLink: () => ({ byOwnGrants: true }),
  createShare: ({ request }) => ({ request: asJson(request, { rights: ["read"] }), byOwnGrants: true }),
  revokeShare: (asking) => ({ fresh: toFresh(asking, "share", "share") }),
  openShare: ({ operation, target, who, world }) => ({
    // The path of a signed link is not that of a share.
    ...(who.kind === "link" && { accepted: ["404 share_not_found"] }),
    fresh: async () => {
      const at = "/v1/albums/other.private/shares";
      const { secret } = (await (await world.store.send("POST", at, {}, world.root)).json()) as { secret: string };
      return onlyRequest(operation, { ...target, secret });
    },
  }),
  uploadWithTicket: (asking) => ({ fresh: toFresh(asking, "upload", "secret", "other.private") }),
  uploadFormWithTicket: (asking) => ({
    fresh: async () => {
      const body = new FormData();
      body.append("file", new File([newPng()], unique()));
      return { ...(await toFresh(asking, "upload", "secret", "other.private")()), body };
    },
  }),
  createSession: ({ who }) => ({
    refusal: who.kind === "session" ? { status: 403, code: "forbidden" } : { status: 401, code: "unauthorized" },
  }),
  getSession: () => ({ refusal: { status: 404, code: "session_not_found" } }),
  deleteSession: ({ request, who: { signInAgain } }) =>
    signInAgain === undefined ? {} : { fresh: async () => ({ ...request, headers: await signInAgain() }) },
  streamEvents: ({ request }) => ({ request: withQuery(request, "?duration=1") }),
  createKey: ({ request }) => ({
    request: asJson(request, { name: unique(), grants: [{ rights: ["admin"], albums: "*" }] }),
  }),
  updateKey: ({ request }) => ({ request: asJson(request, { name: unique() }) }),
  revokeKey: (asking) => ({ fresh: toFresh(asking, "key", "key") }),
  deleteCursor: () => ({ accepted: ["404 cursor_not_found"] }),
  rewindCursor: () => ({ accepted: ["404 cursor_not_found"] }),
  ...Object.fromEntries(
    ["get", "update", "delete", "replay", "test"].map((verb) => [
      `${verb}Webhook`,
      () => ({ accepted: ["404 webhook_not_found"] }),
    ]),
  ),
  listWebhookDeliveries: () => ({ accepted: ["404 webhook_not_found"] }),
  rotateWebhookSecret: () => ({ accepted: ["404 webhook_not_found"] }),
  ...Object.fromEntries(
    ["Store", "Album", "Key"].flatMap((of) =>
      ["get", "delete"].map((verb) => [`${verb}${of}Quota`, () => ({ accepted: ["404 quota_not_found"] })]),
    ),
  ),
};

const nowhere = (name: string): Place => ({ name, id: undefined, isPublic: false });

const contentCases = (request: RouteRequest): readonly Partial<Case>[] => [
  { label: "original", request, also: [{ need: "original", code: "original_not_shared" }] },
  { label: "listed width", request: withQuery(request, "?w=160") },
  {
    label: "any width",
    request: withQuery(request, "?w=161"),
    also: [{ need: "transform", code: "variant_not_allowed" }],
  },
];

const linkCases = (request: RouteRequest): readonly Partial<Case>[] => [{ label: "signed", request }];

const onlyRequest = (operation: Operation, target: Target): RouteRequest => {
  const [request] = requestsTo(operation, target);
  if (request === undefined) throw new Error(`${operation.method} ${operation.path} has a parameter without a value.`);
  return request;
};

/** What an operation is asked, by this caller about this album. @throws Error for a parameter that no target has */
export function casesFor(world: World, operation: Operation, who: Who, site: Site): readonly Case[] {
  const { image, ticket, share } = site;
  const target: Target = {
    album: site.name,
    image: image.name,
    id: image.id,
    sha256: image.sha256,
    ticket,
    share,
    webhook: "none",
    key: world.key,
    secret: "none",
    name: "none",
    file: "start.js",
    asset: builtAsset(),
    view: site.name,
    detail: image.id,
  };
  const request = onlyRequest(operation, target);
  const found = VARIATIONS[operation.definition.operationId]?.({ world, operation, who, site, target, request }) ?? {};
  return [found].flat().map((one) => ({
    label: "",
    request,
    ...(isAboutAlbum(operation) ? { place: site } : {}),
    ...one,
  }));
}

/** Else one album does for all. */
export const isAboutAlbum = ({ path, definition }: Operation): boolean =>
  definition.operationId === "createAlbum" || /\{(album|id)\}/.test(path);

/** The statuses and codes of which one must come. */
export function expected({ definition }: Operation, who: Who, asked: Case): readonly string[] {
  const { acceptsLink, callers, responses, right } = definition;
  const isTheirs = callers === undefined || callers.includes(who.kind);
  const accepts = acceptsLink === true && who.kind === "link";
  const refusal = accepts
    ? linkRefusal(asked)
    : (refusalOf(definition, who, asked) ?? (isTheirs ? undefined : asked.refusal));
  if (refusal !== undefined) {
    const { status, code, missing } = refusal;
    return missing === undefined ? [`${status} ${code}`] : missing.map((one) => `${status} ${code} ${one}`);
  }
  if (asked.only !== undefined) return [asked.only];
  const documented = Object.keys(responses).filter((status) => status.startsWith("2"));
  const isWrite = [right].flat().some((one) => one === "write" || one === "delete");
  const changed = documented.map((status) => (status === "201" || !isWrite || isReadable(who, asked) ? status : "204"));
  return [...changed, ...(asked.accepted ?? [])];
}

/** The record of what is there comes back only to a caller who may read it; that of an image only by its own grants. */
function isReadable(who: Who, { place, request }: Case): boolean {
  if (place === undefined) return true;
  return holds(who, "read", request.path.includes("/images/") ? { ...place, isPublic: false } : place);
}

const linkRefusal = ({ place }: Case): Refusal =>
  place?.id === undefined ? { status: 403, code: "invalid_link" } : undefined;
