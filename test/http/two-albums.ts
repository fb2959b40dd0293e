import type { Album } from "../../src/domain/album.ts";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { newPng } from "./image-fixtures.ts";
import { testKeys } from "./test-keys.ts";

export type Headers = Readonly<Record<string, string>>;

const { API_KEYS, bearer } = testKeys({ owner: "read+write+delete+transform+share+events+admin" });

export { API_KEYS };
export const owner = bearer("owner");

/** A store with the albums `from`, which has the image `i.png`, and `to`, which is empty. */
export interface TwoAlbums {
  readonly store: TestStore;
  readonly from: Album;
  readonly to: Album;
  readonly image: Image;
}

export async function startTwoAlbums(): Promise<TwoAlbums> {
  const store = await startStore({ API_KEYS });
  const { makeAlbum, makeImage } = requestsOfOwner(() => store);
  return {
    store,
    from: await makeAlbum("from"),
    to: await makeAlbum("to"),
    image: await makeImage("from", "i.png"),
  };
}

/** Requests to the store of the test that runs. */
export const requestsOfOwner = (store: () => TestStore) => ({
  makeAlbum: async (name: string, fields: object = {}) =>
    jsonOf<Album>(await store().send("PUT", `/v1/albums/${name}`, fields, owner)),
  makeImage: async (album: string, name: string, body = newPng()) =>
    jsonOf<Image>(
      await store().fetch(`/v1/albums/${album}/images/${name}/content`, { method: "PUT", body, headers: owner }),
    ),
  get: async <Body>(path: string, headers: Headers = owner) => jsonOf<Body>(await store().fetch(path, { headers })),
  /** A key with rights on some of the albums. */
  keyFor: async (...grants: readonly (readonly [rights: readonly string[], album: Album])[]): Promise<Headers> => {
    const wish = { name: "k", grants: grants.map(([rights, { id }]) => ({ rights, albums: { ids: [id] } })) };
    const { secret } = await jsonOf<{ secret: string }>(await store().send("POST", "/v1/keys", wish, owner));
    return { Authorization: `Bearer ${secret}` };
  },
});

export async function problem(pending: Response | Promise<Response>) {
  const response = await pending;
  const { code, detail, errors, missing } = await jsonOf<Record<string, unknown>>(response);
  return { status: response.status, code, detail, errors, missing };
}
