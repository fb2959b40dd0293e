import { afterAll, describe, expect, test } from "bun:test";
import type { Ticket } from "../../../src/domain/ticket.ts";
import { jsonOf, startStore } from "../harness.ts";
import { newPng } from "../image-fixtures.ts";
import { bearer, type NewTicket, ORIGIN, refused, startTicketStore } from "./ticket-store.ts";

const { store, send, read, newAlbum, newTicket } = await startTicketStore();
afterAll(() => store[Symbol.asyncDispose]());

describe("making tickets", () => {
  test("needs both rights on the album, and an album", async () => {
    const album = await newAlbum();
    for (const [key, missing] of [
      ["writer", "share"],
      ["sharer", "write"],
    ] as const) {
      const response = await send("POST", `${album}/tickets`, {}, key);
      expect([response.status, await response.json()]).toMatchObject([403, { code: "forbidden", missing: [missing] }]);
    }
    expect((await store.send("POST", `${album}/tickets`, {})).status).toBe(401);
    expect(await refused(await send("POST", "/v1/albums/none/tickets"))).toEqual([404, "album_not_found"]);
    expect((await store.fetch(`${album}/tickets`, { headers: bearer("writer") })).status).toBe(403);
  });

  test.each([
    [{ expiresIn: 59 }, "/expiresIn"],
    [{ expiresIn: 86_401 }, "/expiresIn"],
    [{ files: 0 }, "/files"],
    [{ files: 101 }, "/files"],
    [{ files: 2, name: "a" }, "/files"],
    [{ maxBytes: 0 }, "/maxBytes"],
    [{ contentTypes: [] }, "/contentTypes"],
    [{ contentTypes: ["text/html"] }, "/contentTypes/0"],
    [{ contentTypes: ["image/png", "image/png"] }, "/contentTypes"],
    [{ fields: { name: "x" } }, "/fields/name"],
    [{ fields: { title: 1 } }, "/fields/title"],
    [
      { fields: { metadata: Object.fromEntries(Array.from({ length: 60 }, (_, index) => [index, "x".repeat(200)])) } },
      "/fields/metadata",
    ],
    [{ id: "x" }, "/id"],
  ] as const)("refuses %j", async (wish, pointer) => {
    const response = await send("POST", `${await newAlbum()}/tickets`, wish);
    const body = await jsonOf<{ errors: { pointer: string }[] }>(response);
    expect([response.status, body.errors[0]?.pointer]).toEqual([400, pointer]);
  });

  test("puts them in a listing, in pages, in their order and without secrets", async () => {
    const album = await newAlbum();
    const ids: string[] = [];
    for (let count = 0; count < 5; count++) ids.push((await newTicket(album)).id);
    await newTicket(await newAlbum());
    const listed: string[] = [];
    for (let path: string | undefined = `${album}/tickets?pageSize=2`; path !== undefined; ) {
      const response: Response = await read(path);
      const text = await response.text();
      expect(text).not.toContain("imgtk_");
      expect(text).not.toContain("sha256");
      const page = JSON.parse(text) as { items: Ticket[]; nextPageToken?: string };
      listed.push(...page.items.map(({ id }) => id));
      path = page.nextPageToken && `${album}/tickets?pageSize=2&pageToken=${page.nextPageToken}`;
    }
    expect(listed.toSorted()).toEqual(ids.toSorted());
  });

  test("gives an absolute URL if the store has one, and no origin check without keys", async () => {
    await using open = await startStore({ PUBLIC_URL: "https://images.example" });
    await open.send("PUT", "/v1/albums/a", {});
    const { url, createdBy } = await jsonOf<NewTicket>(await open.send("POST", "/v1/albums/a/tickets", {}));
    expect(createdBy.kind).toBe("local");
    expect(url).toStartWith("https://images.example/v1/uploads/imgtk_");
    const path = new URL(url).pathname;
    const headers = { ...ORIGIN, "Sec-Fetch-Site": "cross-site" };
    expect((await open.fetch(path, { method: "PUT", body: newPng(), headers })).status).toBe(201);
    expect((await open.send("POST", "/v1/albums/a/tickets", {}, ORIGIN)).status).toBe(403);
  });
});
