import { expect } from "bun:test";
import type { CloudEvent } from "../../../src/domain/event.ts";
import type { Image } from "../../../src/domain/image.ts";
import type { Ticket } from "../../../src/domain/ticket.ts";
import { jsonOf, startStore } from "../harness.ts";
import { codeOf } from "../image-fixtures.ts";
import { testKeys } from "../test-keys.ts";

export type NewTicket = Ticket & { readonly url: string };

export const { API_KEYS, bearer } = testKeys({
  boss: "read+write+delete+transform+share+events+admin",
  writer: "read+write",
  sharer: "read+share",
  follower: "read+events",
});

export const ORIGIN = { Origin: "https://a-site.example" };

export const clock = { now: Date.now(), asked: 0 };
const now = (): number => {
  clock.asked++;
  return clock.now;
};

export const refused = async (response: Response) => [response.status, await codeOf(response)];

/** A store whose time is that of `clock`, and the requests of an administrator and of uploaders to it. */
export async function startTicketStore() {
  const store = await startStore({ API_KEYS, SMALL_IMAGE: "0" }, { now });
  const send = (method: string, path: string, body: unknown = {}, name: "boss" | "writer" | "sharer" = "boss") =>
    store.send(method, path, body, bearer(name));
  const read = (path: string) => store.fetch(path, { headers: bearer("boss") });

  let made = 0;
  async function newAlbum(): Promise<string> {
    const path = `/v1/albums/tickets-${++made}`;
    expect((await send("PUT", path)).status).toBe(201);
    return path;
  }

  async function newTicket(album: string, wish: object = {}): Promise<NewTicket> {
    const response = await send("POST", `${album}/tickets`, wish);
    expect(response.status).toBe(201);
    expect(response.headers.get("cache-control")).toBe("no-store");
    return jsonOf<NewTicket>(response);
  }

  /** Uploads as a page of another origin, without a key. */
  async function upload(
    url: string,
    body: RequestInit["body"],
    {
      method = "PUT",
      headers = {},
    }: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<Response> {
    const response = await store.fetch(url, { method, body, headers: { ...ORIGIN, ...headers } });
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    return response;
  }

  const uploadForm = (url: string, form: FormData) => upload(url, form, { method: "POST" });

  const imagesIn = async (album: string) => (await jsonOf<{ items: Image[] }>(await read(`${album}/images`))).items;
  const ticketsOf = async (album: string) => (await jsonOf<{ items: Ticket[] }>(await read(`${album}/tickets`))).items;

  async function eventsOf(album: string): Promise<readonly CloudEvent[]> {
    const { id } = await jsonOf<{ id: string }>(await read(album));
    const { items } = await jsonOf<{ items: CloudEvent[] }>(await read(`/v1/events?limit=1000&albumId=${id}`));
    return items.filter(({ type }) => type.startsWith("imagestore.image."));
  }

  return { store, send, read, newAlbum, newTicket, upload, uploadForm, imagesIn, ticketsOf, eventsOf };
}
