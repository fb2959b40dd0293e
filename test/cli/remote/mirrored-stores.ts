import { expect } from "bun:test";
import { type Client, createClient, type Image } from "../../../client/src/index.ts";
import { newPng } from "../../http/image-fixtures.ts";

/** What two stores must have in common. `isVerbatim`: also what a store sets by itself. */
export async function contentOf(client: Client, isVerbatim: boolean): Promise<readonly object[]> {
  const records: object[] = [];
  const page = { pageSize: 1000, orderBy: "createdAt" } as const;
  for await (const album of client.albums.list({ pageSize: 1000 })) {
    const { id, revision, createdAt, updatedAt, ...common } = album;
    records.push(isVerbatim ? { id, revision, createdAt, updatedAt, ...common } : common);
  }
  // In the order of their creation.
  for await (const image of client.images(undefined, page)) {
    const { id, albumId, revision, createdAt, updatedAt, links, ...common } = image;
    const bytes = await (await client.download(image)).arrayBuffer();
    const found = { ...common, bytes: new Bun.CryptoHasher("sha256").update(bytes).digest("hex") };
    expect(found.bytes).toBe(image.sha256);
    records.push(isVerbatim ? { id, albumId, revision, createdAt, updatedAt, links, ...found } : found);
  }
  return records;
}

export async function expectEqualStores(
  source: { readonly url: string; readonly key?: string | undefined },
  target: { readonly url: string; readonly key?: string | undefined },
  { isVerbatim }: { readonly isVerbatim: boolean },
): Promise<void> {
  const [expected, found] = await Promise.all(
    [source, target].map(({ url, key }) => contentOf(createClient({ url, key }), isVerbatim)),
  );
  expect(expected?.length).toBeGreaterThan(0);
  expect(found).toEqual(expected as object[]);
}

/** A client of the source that changes everything that a mirror copies, at random. */
export function createWriter(client: Client, seed = 1) {
  let state = seed;
  const random = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  const pick = <Item>(items: readonly Item[]): Item | undefined => items[random(items.length)];
  let made = 0;
  const newName = (): string => `n${made++}`;
  async function lists() {
    const albums = await Array.fromAsync(client.albums.list({ pageSize: 1000 }));
    const images = await Array.fromAsync(client.images(undefined, { pageSize: 1000 }));
    return { albums, images };
  }
  const fields = () => ({
    title: pick([null, "Lake", "Dawn"]) ?? null,
    tags: [...new Set([pick(["a", "b"]) ?? "a", pick(["c", "d"]) ?? "c"])],
    metadata: { [pick(["x", "y"]) ?? "x"]: String(random(9)) },
  });
  const ofImage = {
    rename: ({ album, name }: Image) => client.update(album, name, { name: newName() }),
    describe: ({ album, name }: Image) => client.update(album, name, fields()),
    replace: ({ album, name }: Image) => client.upload(album, newPng(), { name }),
    delete: ({ album, name }: Image) => client.delete(album, name),
    /** Two images exchange their names. */
    async swap({ album, name }: Image, { album: others, name: other }: Image) {
      if (album !== others || name === other) return;
      const aside = newName();
      await client.update(album, name, { name: aside });
      await client.update(album, other, { name });
      await client.update(album, aside, { name: other });
    },
  };
  async function step(): Promise<void> {
    const { albums, images } = await lists();
    const [album, image] = [pick(albums), pick(images)];
    const choice = random(20);
    if (album === undefined || (choice === 0 && albums.length < 12)) {
      await client.albums.create({ name: newName(), title: "new" });
      return;
    }
    if (choice === 1 && albums.length > 3) return client.albums.delete(album.name, { recursive: true });
    if (choice === 2)
      return void (await client.albums.update(album.name, { name: newName(), metadata: { a: newName() } }));
    if (image === undefined || choice < 9) return void (await client.upload(album.name, newPng(), { name: newName() }));
    if (choice < 11) return ofImage.delete(image);
    if (choice < 13) return void (await ofImage.replace(image));
    if (choice < 15) return void (await ofImage.rename(image));
    if (choice < 16) return ofImage.swap(image, pick(images) ?? image);
    if (choice < 18) return void (await client.move(image.album, image.name, { album: album.name, name: newName() }));
    if (choice < 19) return void (await client.copy(image.album, image.name, { album: album.name, name: newName() }));
    await ofImage.describe(image);
  }
  return {
    async write(steps: number): Promise<void> {
      for (let number = 0; number < steps; number++) await step();
    },
  };
}
