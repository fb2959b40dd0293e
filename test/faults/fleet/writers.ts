import { setTimeout as sleep } from "node:timers/promises";
import type { Album } from "../../../src/domain/album.ts";
import type { CloudEvent } from "../../../src/domain/event.ts";
import type { Image } from "../../../src/domain/image.ts";
import { pick } from "../random.ts";
import { randomImage } from "../random-image.ts";

const SHARED_ALBUMS = 24;

/** What the writers were answered. */
export interface Written {
  /** One for each event that must be there, as `describeEvent` says it. */
  readonly acknowledged: readonly string[];
  /** Answers 503. */
  readonly refused: number;
  readonly problems: readonly string[];
}

/**
 * So many acknowledged changes by writers who share albums, at whatever node. Nothing breaks meanwhile: what is not
 * acknowledged was not done.
 * @param at answers the node for the next request
 */
export async function write(at: () => string, options: { writers: number; changes: number }): Promise<Written> {
  const acknowledged: string[] = [];
  const problems: string[] = [];
  let refused = 0;

  /** Undefined when it was refused. */
  async function send(method: string, path: string, body?: Bun.BodyInit): Promise<Album | Image | true | undefined> {
    const isBytes = body instanceof Uint8Array;
    const patch = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const headers = body === undefined ? {} : { "content-type": isBytes ? "image/png" : patch };
    const response = await fetch(at() + path, { method, headers, ...(body === undefined ? {} : { body }) });
    const text = await response.text();
    if (response.ok) return text === "" ? true : (JSON.parse(text) as Album | Image);
    if (response.status === 503) refused++;
    else problems.push(`${method} ${path} answered ${response.status}: ${text.slice(0, 200)}`);
    await sleep(10);
    return undefined;
  }

  async function change(
    method: "POST" | "PATCH" | "PUT",
    path: string,
    body: Bun.BodyInit,
  ): Promise<Album | Image | undefined> {
    const record = await send(method, path, body);
    if (record === undefined || record === true) return undefined;
    acknowledged.push(describeChange(record));
    return record;
  }

  async function insist(path: string, body: Bun.BodyInit): Promise<Album | Image> {
    for (;;) {
      const record = await change("POST", path, body);
      if (record !== undefined) return record;
      if (problems.length > 0) throw new Error(problems.join("\n"));
    }
  }

  const createAlbum = async () => (await insist("/v1/albums", json({ name: newName() }))) as Album;
  const albums = await Promise.all(Array.from({ length: SHARED_ALBUMS }, createAlbum));
  const images = await Promise.all(albums.map(({ name }) => insist(uploadInto(name), picture())));

  async function writer(): Promise<void> {
    const own: Album[] = [];
    while (acknowledged.length < options.changes && problems.length === 0) {
      const dice = Math.random();
      const { name } = pick(albums);
      if (dice < 0.45) await change("PATCH", `/v1/albums/${name}`, json({ title: newName() }));
      else if (dice < 0.75) await change("PATCH", pick(images as Image[]).links.self, json({ title: newName() }));
      else if (dice < 0.8) await change("POST", uploadInto(name), picture());
      else if (own.length < 3) own.push(await createAlbum());
      else {
        const album = own.shift() as Album;
        if ((await send("DELETE", `/v1/albums/${album.name}`)) === undefined) own.unshift(album);
        else acknowledged.push(`${album.id} deleted`);
      }
    }
  }
  await Promise.all(Array.from({ length: options.writers }, writer));
  return { acknowledged, refused, problems };
}

const describeChange = ({ id, revision }: Pick<Album, "id" | "revision">) => `${id} revision ${revision}`;

export function describeEvent({ type, data }: CloudEvent): string {
  return type.endsWith(".deleted") ? `${data.id} deleted` : describeChange(data);
}

const newName = () => `w-${crypto.randomUUID()}`;
const json = (value: unknown) => JSON.stringify(value);
const uploadInto = (album: string) => `/v1/albums/${album}/images?name=${crypto.randomUUID()}.png`;
const picture = () => randomImage(500).bytes;
