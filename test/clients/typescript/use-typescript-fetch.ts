// Uses openapi-generator's client for fetch as its users do. Prints each step that held.
import { check, equal, filesOf, sha256 } from "./checks.ts";
import { AlbumsApi, Configuration, EventsApi, ImagesApi, ResponseError } from "./typescript-fetch/index.ts";

const [url = "", key = "", folder = ""] = process.argv.slice(2);
const album = "typescript-fetch: söme name";
const files = await filesOf(folder);
const [first, ...others] = files;
const configuration = new Configuration({ basePath: url, accessToken: key });
const [albums, images, events] = [AlbumsApi, ImagesApi, EventsApi].map((Api) => new Api(configuration)) as [
  AlbumsApi,
  ImagesApi,
  EventsApi,
];

const created = await albums.createAlbum({ albumCreate: { name: album, title: "By TypeScript" } });
equal(created.imageCount, 0);
check("createAlbum");

const raw = await images.createImage({ album, name: first.name, body: first });
equal([raw.sha256, raw.focalPoint], [await sha256(first), null]);
check("uploadRaw");

const form = await images.createImages({ album, record: { title: "One", tags: new Set(["x"]) }, file: others });
equal(
  form.items.map(({ name, title }) => [name, title]),
  others.map(({ name }, index) => [name, index === 0 ? "One" : null]),
);
check("uploadForm");

equal(
  (await images.listImages({ album, tag: "x" })).items.map(({ name }) => name),
  [others[0]?.name],
);
check("list");

const names: string[] = [];
let pageToken: string | undefined;
do {
  const page = await images.listImages({ album, pageSize: 1, pageToken });
  names.push(...page.items.map(({ name }) => name));
  pageToken = page.nextPageToken;
} while (pageToken !== undefined);
equal(
  names,
  files.map(({ name }) => name),
);
check("page");

equal(await sha256(await images.getImageContent({ album, image: first.name })), await sha256(first));
check("download");

const focalPoint = { x: 0.5, y: 0.25 };
const patched = await images.updateImage({ album, image: first.name, imagePatch: { focalPoint } });
equal([patched?.focalPoint?.x, patched?.focalPoint?.y], [0.5, 0.25]);
check("patch");

const log = await events.listEvents({ albumId: created.id, type: ["album.created", "image.created"] });
equal(
  log.items.map(({ data }) => data.name),
  [album, ...files.map(({ name }) => name)],
);
equal((await events.listEventBatch({ albumId: created.id }))[0]?.id, log.items[0]?.id);
check("events");

const text = await events.streamEvents({ albumId: created.id, type: ["album.created"], duration: 1 });
equal((JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? "null") as { id?: string } | null)?.id, log.items[0]?.id);
check("stream");

await images.deleteImage({ album, image: first.name });
const gone = await images.getImage({ album, image: first.name }).catch((error: unknown) => error);
equal(gone instanceof ResponseError && gone.response.status, 404);
check("delete");
