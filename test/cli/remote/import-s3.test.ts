import { afterEach, beforeEach, expect, test } from "bun:test";
import { BUCKET, useMemoryS3 } from "../../adapters/blobs/memory-s3.ts";
import { startStore, type TestStore } from "../../http/harness.ts";
import { newPng } from "../../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { cliOf, documentsOf } from "./run-remote.ts";

const memory = useMemoryS3();
let store: TestStore;
let home: string;
let cli: ReturnType<typeof cliOf>;
beforeEach(async () => {
  store = await startStore();
  home = await newFolder("import-s3");
  cli = cliOf(store.url, home);
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await removeFolder(home);
});

const placeOf = (bucket: string) =>
  `s3://${bucket}/photos/?endpoint=${encodeURIComponent(memory.s3.endpoint)}&forcePathStyle=true`;
const readings = () => memory.s3.requests.filter((request) => request.endsWith(".png")).length;

test("import of a bucket makes an album of each folder of keys, and a second run reads no object", async () => {
  const [lake, hill] = [newPng(), newPng()];
  memory.s3.objects.set("photos/Summer/lake.png", new Uint8Array(lake));
  memory.s3.objects.set("photos/Summer/Hills/hill.png", new Uint8Array(hill));
  memory.s3.objects.set("other/not-this.png", new Uint8Array(newPng()));
  expect((await cli("import", placeOf(BUCKET), "--json")).code).toBe(0);
  expect(documentsOf(await cli("ls", "--json")).map(({ name }) => name)).toEqual(["Summer", "Summer - Hills"]);
  const content = await store.fetch("/v1/albums/Summer/images/lake.png/content");
  expect(Buffer.from(await content.arrayBuffer()).equals(lake)).toBe(true);
  const read = readings();
  expect(read).toBe(2);
  expect((await cli("import", placeOf(BUCKET), "--json")).code).toBe(0);
  expect(readings()).toBe(read);
});

test("import names the bucket that is not there, and exits with 1", async () => {
  const { code, err } = await cli("import", placeOf("missing"));
  expect(code).toBe(1);
  expect(err).toContain("has no bucket missing");
});
