import { expect } from "bun:test";
import type { Album } from "../../../src/domain/album.ts";
import { jsonOf, startStore } from "../harness.ts";

export interface Problem {
  readonly code: string;
  readonly errors?: readonly { pointer?: string; parameter?: string }[];
}

let made = 0;
export const newName = (): string => `album ${++made} ${crypto.randomUUID()}`;
export const pathOf = (name: string): string => `/v1/albums/${encodeURIComponent(name)}`;

export const manyKeys = (from: number, count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${from + index}`, ""]));

/** A store, and albums with names of their own in it. */
export async function startAlbumStore() {
  const store = await startStore();
  const create = async (fields: object = {}): Promise<{ album: Album; etag: string }> => {
    const response = await store.send("POST", "/v1/albums", { name: newName(), ...fields });
    expect(response.status).toBe(201);
    return { album: await jsonOf<Album>(response), etag: response.headers.get("etag") ?? "" };
  };

  return { store, create };
}
