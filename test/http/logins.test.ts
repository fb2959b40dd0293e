import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { buildPage } from "../../web/build.ts";
import { startIssuer, type TestIssuer } from "../adapters/tokens/test-issuer.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { startStore } from "./harness.ts";
import { AUDIENCE, RULES } from "./test-tokens.ts";

/** Where people sign in to the page, and what the policy of the page's document then allows. */

const BROWSER = { Accept: "text/html" };
let folder: string;
let pageFolder: string;
let issuer: TestIssuer;
beforeAll(async () => {
  folder = await newFolder("logins");
  pageFolder = join(folder, "page");
  await buildPage(pageFolder);
  issuer = startIssuer([]);
});
afterAll(async () => {
  issuer[Symbol.dispose]();
  await removeFolder(folder);
});

const discovery = (more: object = {}) => ({
  issuer: issuer.url,
  jwks_uri: `${issuer.url}/jwks`,
  authorization_endpoint: `${issuer.url}/authorize?tenant=1`,
  token_endpoint: `${issuer.url}/a;b/token`,
  ...more,
});
const start = (settings: Readonly<Record<string, string>> = {}) =>
  startStore(
    {
      JWT_ISSUER: issuer.url,
      JWT_AUDIENCE: AUDIENCE,
      JWT_RULES: RULES,
      PAGE_CLIENT_ID: "image-store-page",
      PAGE_SCOPE: "openid images",
      PAGE_LOGIN_QUERY: "resource=https://images.example.org",
      ...settings,
    },
    { pageFolder },
  );
const policyOf = async (store: { url: string }, path: string) =>
  (await fetch(store.url + path, { headers: BROWSER })).headers.get("content-security-policy") ?? "";

describe("GET /v1/logins", () => {
  test("is empty in a store whose page has no client at an issuer", async () => {
    await using store = await startStore();
    const response = await store.fetch("/v1/logins");
    expect([response.status, await response.json()]).toEqual([200, { items: [] }]);
  });

  test("has the endpoints that the issuer states, for a visitor without credentials", async () => {
    issuer.respond = () => Response.json(discovery());
    await using store = await start();
    const response = await store.fetch("/v1/logins");
    expect(await response.json()).toEqual({
      items: [
        {
          issuer: issuer.url,
          clientId: "image-store-page",
          scope: "openid images",
          authorizationUrl: `${issuer.url}/authorize?tenant=1&resource=https%3A%2F%2Fimages.example.org`,
          tokenUrl: `${issuer.url}/a;b/token`,
        },
      ],
    });
  });

  test.each([
    ["does not respond", () => new Response(null, { status: 500 })],
    ["states the endpoints of another issuer", () => Response.json(discovery({ issuer: "https://evil.example" }))],
    ["states no token endpoint", () => Response.json(discovery({ token_endpoint: undefined }))],
    ["states an endpoint without TLS", () => Response.json(discovery({ token_endpoint: "http://10.0.0.1/token" }))],
  ])("is 503 while the issuer %s", async (_what, respond) => {
    issuer.respond = respond;
    await using store = await start();
    const response = await store.fetch("/v1/logins");
    expect([response.status, await response.json()]).toEqual([503, expect.objectContaining({ code: "unavailable" })]);
  });
});

describe("the policy of the page", () => {
  test("allows requests to the token endpoint where people come back with a code, and nowhere else", async () => {
    issuer.respond = () => Response.json(discovery());
    await using store = await start();
    expect(await policyOf(store, "/sign-in?code=c&state=s")).toContain(
      `connect-src 'self' ${issuer.url}/a%3Bb/token; `,
    );
    for (const path of ["/sign-in", "/", "/albums", "/albums/x?code=c", "/sign-in?state=s"])
      expect([path, await policyOf(store, path)]).toEqual([path, expect.stringContaining("connect-src 'self'; ")]);
  });

  test("allows nothing more in a store without such a login, or while the issuer does not respond", async () => {
    issuer.respond = () => new Response(null, { status: 500 });
    await using down = await start();
    await using without = await startStore({}, { pageFolder });
    for (const store of [down, without])
      expect(await policyOf(store, "/sign-in?code=c&state=s")).toContain("connect-src 'self'; ");
  });
});
