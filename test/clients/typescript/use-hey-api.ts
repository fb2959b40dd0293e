// Uses the client of hey-api as its users do. Prints each step that held.
import { check, equal, filesOf, sha256 } from "./checks.ts";
import { client } from "./hey-api/client.gen.ts";
import {
  createAlbum,
  createImage,
  createImages,
  deleteImage,
  getImage,
  getImageContent,
  listEventBatch,
  listEvents,
  listImages,
  streamEvents,
  updateImage,
} from "./hey-api/index.ts";

const [url = "", key = "", folder = ""] = process.argv.slice(2);
const album = "hey-api: söme name";
const files = await filesOf(folder);
const [first, ...others] = files;
client.setConfig({ baseUrl: url, auth: key });

const created = await createAlbum({ body: { name: album, title: "By TypeScript" }, throwOnError: true });
const albumId = created.data.id;
equal(created.data.imageCount, 0);
check("createAlbum");

const raw = await createImage({ path: { album }, query: { name: first.name }, body: first, throwOnError: true });
equal([raw.data.sha256, raw.data.focalPoint], [await sha256(first), null]);
check("uploadRaw");

const form = await createImages({
  path: { album },
  body: { record: { title: "One", tags: ["x"] }, file: others },
  throwOnError: true,
});
equal(
  form.data.items.map((item) => ("name" in item ? [item.name, item.title] : item)),
  others.map(({ name }, index) => [name, index === 0 ? "One" : null]),
);
check("uploadForm");

const listed = await listImages({ path: { album }, query: { tag: "x" }, throwOnError: true });
equal(
  listed.data.items.map(({ name }) => name),
  [others[0]?.name],
);
check("list");

const names: string[] = [];
let pageToken: string | undefined;
do {
  const { data } = await listImages({ path: { album }, query: { pageSize: 1, pageToken }, throwOnError: true });
  names.push(...data.items.map(({ name }) => name));
  pageToken = data.nextPageToken;
} while (pageToken !== undefined);
equal(
  names,
  files.map(({ name }) => name),
);
check("page");

const content = await getImageContent({ path: { album, image: first.name }, throwOnError: true });
equal(await sha256(content.data as Blob), await sha256(first));
check("download");

const body = { focalPoint: { x: 0.5, y: 0.25 } };
const patched = await updateImage({ path: { album, image: first.name }, body, throwOnError: true });
// Without content for a key that must not read.
equal(patched.data?.focalPoint, body.focalPoint);
check("patch");

const log = await listEvents({ query: { albumId, type: ["album.created", "image.created"] }, throwOnError: true });
equal(
  log.data.items.map(({ data }) => ("name" in data ? data.name : undefined)),
  [album, ...files.map(({ name }) => name)],
);
const batch = await listEventBatch({ query: { albumId }, throwOnError: true });
equal(batch.data[0]?.id, log.data.items[0]?.id);
check("events");

const leaving = new AbortController();
const { stream } = await streamEvents({ query: { albumId, type: ["album.created"] }, signal: leaving.signal });
for await (const event of stream) {
  equal((event as unknown as { id: string }).id, log.data.items[0]?.id);
  check("stream");
  break;
}
leaving.abort();

const image = { path: { album, image: first.name } };
equal((await deleteImage(image)).response?.status, 204);
equal((await getImage(image)).error?.code, "image_not_found");
check("delete");
