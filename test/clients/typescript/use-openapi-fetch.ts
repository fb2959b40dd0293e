// Uses openapi-fetch with the types of openapi-typescript, as their users do. Prints each step that held.
import createClient from "openapi-fetch";
import { check, equal, filesOf, sha256 } from "./checks.ts";
import type { paths } from "./schema.d.ts";

const [url = "", key = "", folder = ""] = process.argv.slice(2);
const album = "openapi-fetch: söme name";
const files = await filesOf(folder);
const [first, ...others] = files;
const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${key}` } });
const path = { album };

const created = await client.POST("/v1/albums", { body: { name: album, title: "By TypeScript" } });
equal(created.data?.imageCount, 0);
const albumId = created.data?.id ?? "";
check("createAlbum");

const raw = await client.POST("/v1/albums/{album}/images", {
  params: { path, query: { name: first.name } },
  body: first as unknown as string,
  bodySerializer: (body) => body as unknown as Blob,
  headers: { "Content-Type": "application/octet-stream" },
});
equal([raw.data?.sha256, raw.data?.focalPoint], [await sha256(first), null]);
check("uploadRaw");

const form = await client.POST("/v1/albums/{album}/forms", {
  params: { path },
  body: { record: { title: "One", tags: ["x"] }, file: others as unknown as string[] },
  bodySerializer: ({ record, file }) => {
    const data = new FormData();
    data.append("record", JSON.stringify(record));
    for (const one of file as unknown as File[]) data.append("file", one);
    return data;
  },
});
equal(
  form.data?.items.map((item) => ("name" in item ? [item.name, item.title] : item)),
  others.map(({ name }, index) => [name, index === 0 ? "One" : null]),
);
check("uploadForm");

const listed = await client.GET("/v1/albums/{album}/images", { params: { path, query: { tag: "x" } } });
equal(
  listed.data?.items.map(({ name }) => name),
  [others[0]?.name],
);
check("list");

const names: string[] = [];
let pageToken: string | undefined;
do {
  const query = { pageSize: 1, ...(pageToken === undefined ? {} : { pageToken }) };
  const page = await client.GET("/v1/albums/{album}/images", { params: { path, query } });
  names.push(...(page.data?.items ?? []).map(({ name }) => name));
  pageToken = page.data?.nextPageToken;
} while (pageToken !== undefined);
equal(
  names,
  files.map(({ name }) => name),
);
check("page");

const content = await client.GET("/v1/albums/{album}/images/{image}/content", {
  params: { path: { album, image: first.name } },
  parseAs: "blob",
});
equal(await sha256(content.data as unknown as Blob), await sha256(first));
check("download");

const patch = await client.PATCH("/v1/albums/{album}/images/{image}", {
  params: { path: { album, image: first.name } },
  body: { focalPoint: { x: 0.5, y: 0.25 } },
});
equal(patch.data?.focalPoint, { x: 0.5, y: 0.25 });
check("patch");

const log = await client.GET("/v1/events", {
  params: { query: { albumId, type: ["album.created", "image.created"] } },
});
// What this is for: `items` has its type.
equal(
  log.data?.items.map(({ data }) => ("name" in data ? data.name : undefined)),
  [album, ...files.map(({ name }) => name)],
);
equal(typeof log.data?.nextCursor, "string");
const batch = await client.GET("/v1/events/batch", { params: { query: { albumId } } });
equal(batch.data?.[0]?.id, log.data?.items[0]?.id);
check("events");

const stream = await client.GET("/v1/events/stream", {
  params: { query: { albumId, type: ["album.created"], duration: 1 } },
  parseAs: "stream",
});
const text = await new Response(stream.data).text();
equal((JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? "null") as { id?: string } | null)?.id, log.data?.items[0]?.id);
check("stream");

const image = { path: { album, image: first.name } };
equal((await client.DELETE("/v1/albums/{album}/images/{image}", { params: image })).response.status, 204);
const gone = await client.GET("/v1/albums/{album}/images/{image}", { params: image });
equal(gone.error?.code, "image_not_found");
check("delete");
