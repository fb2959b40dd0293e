import { afterAll, describe, expect, test } from "bun:test";
import pino from "pino";
import { makeSecret } from "../../../src/operations/secrets.ts";
import { jsonOf, startStore } from "../harness.ts";
import { codeOf, newPng } from "../image-fixtures.ts";
import { API_KEYS, bearer, type NewTicket, refused, startTicketStore } from "./ticket-store.ts";

const { store, newAlbum, newTicket, upload, eventsOf } = await startTicketStore();
afterAll(() => store[Symbol.asyncDispose]());
test("the secret of a ticket is in no log line, metric, event or error", async () => {
  const lines: string[] = [];
  const logger = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
  await using logged = await startStore({ API_KEYS }, { logger });
  const sent = await logged.send("PUT", "/v1/albums/a", {}, bearer("boss"));
  expect(sent.status).toBe(201);
  const response = await logged.send("POST", "/v1/albums/a/tickets", {}, bearer("boss"));
  const { id, url } = await jsonOf<NewTicket>(response);
  const secret = url.slice(url.lastIndexOf("_") + 1);
  const texts: string[] = [];
  for (const [method, target] of [
    ["PUT", url],
    ["PUT", url],
    ["GET", url],
    ["PUT", `${url}/x`],
    ["PUT", `${url}?x=1`],
    ["PUT", url.replaceAll("/", "%2F")],
    ["PUT", `/v1/albums/${url.split("/").at(-1)}`],
    ["DELETE", `/v1/albums/a/tickets/${url.split("/").at(-1)}`],
  ] as const) {
    const init = { method, ...(method === "PUT" && { body: newPng() }), headers: bearer("boss") };
    const answer = await logged.fetch(target.startsWith("/") ? target : `/${target}`, init);
    texts.push(await answer.text(), JSON.stringify([...answer.headers]));
  }
  for (const path of ["/metrics", "/v1/events", "/v1/albums/a/tickets"])
    texts.push(await (await logged.fetch(path, { headers: bearer("boss") })).text());
  expect(lines.join("\n")).toContain('"operation":"uploadWithTicket"');
  expect(texts.join("\n")).toContain(id);
  for (const text of [...lines, ...texts]) expect(text).not.toContain(secret);
});

describe("an upload ticket", () => {
  test("that never was, was revoked, has another secret or another album looks the same", async () => {
    const album = await newAlbum();
    const revoked = await newTicket(album);
    const path = `${album}/tickets/${revoked.id}`;
    expect((await store.fetch(path, { method: "DELETE", headers: bearer("boss") })).status).toBe(204);
    expect(await refused(await store.fetch(path, { method: "DELETE", headers: bearer("boss") }))).toEqual([
      404,
      "ticket_not_found",
    ]);
    const good = await newTicket(album);
    const other = makeSecret("ticket").text;
    const deleted = await newAlbum();
    const orphan = await newTicket(deleted);
    await store.fetch(`${deleted}?recursive=true`, { method: "DELETE", headers: bearer("boss") });
    const secrets = [
      revoked.url,
      orphan.url,
      `/v1/uploads/${other}`,
      `/v1/uploads/${other.replace(/_\w{16}_/, `_${good.id}_`)}`,
      `/v1/uploads/${makeSecret("key").text}`,
      good.url.slice(0, -1),
      `${good.url}0`,
      good.url.replace("imgtk_", "img%74k_"),
      good.url.toLowerCase(),
      "/v1/uploads/x",
    ];
    const answers = await Promise.all(
      secrets.map(async (url) => {
        const response = await upload(url, newPng(), { headers: { "X-Request-Id": "same" } });
        const headers = [...response.headers].filter(([name]) => name !== "date");
        return { status: response.status, headers, body: await response.text() };
      }),
    );
    expect(answers[0]?.body).toContain('"code":"ticket_not_found"');
    for (const answer of answers) expect(answer).toEqual(answers[0] as never);
    expect((await upload(good.url, newPng())).status).toBe(201);
  });

  test("alone says who uploads, whatever key comes with it", async () => {
    const album = await newAlbum();
    for (const headers of [bearer("boss"), bearer("sharer"), { Authorization: "Bearer wrong" }]) {
      const ticket = await newTicket(album);
      expect((await upload(ticket.url, newPng(), { headers })).status).toBe(201);
      expect((await eventsOf(album)).at(-1)).toMatchObject({ data: { actor: { kind: "ticket", id: ticket.id } } });
    }
  });

  test("lets its holder do nothing else", async () => {
    const album = await newAlbum();
    const { url } = await newTicket(album);
    const secret = url.split("/").at(-1) as string;
    for (const method of ["GET", "HEAD", "DELETE", "PATCH"]) {
      const response = await upload(url, undefined, { method });
      expect([method, response.status, response.headers.get("allow")]).toEqual([method, 405, "OPTIONS, POST, PUT"]);
    }
    const headers = { Authorization: `Bearer ${secret}` };
    expect((await store.fetch(`${album}/images?name=x`, { method: "POST", body: newPng(), headers })).status).toBe(401);
    expect((await store.fetch(`${album}?key=${secret}`)).status).toBe(400);
    for (const [query, code] of [
      ["?name=other", "invalid_request"],
      ["?album=other", "unknown_parameter"],
    ]) {
      const named = await newTicket(album, { name: "mine" });
      expect(await codeOf(await upload(named.url + query, newPng()))).toBe(code as string);
    }
  });
});
