import { expect, test } from "bun:test";
import { parseApiKeys } from "../../../src/config/keys.ts";
import { RIGHTS as RIGHTS_OF_KEYS } from "../../../src/domain/access.ts";
import { type Caller, LINKED, may, mayEverywhere } from "../../../src/domain/caller.ts";
import { type AccessOptions, createAccess } from "../../../src/http/access.ts";
import { createLinkSigner } from "../../../src/operations/link-signer.ts";
import { rejectionOf } from "../../waiting.ts";
import { NO_CREDENTIALS } from "../no-credentials.ts";
import { API_KEYS, bearer } from "./access-keys.ts";

const nothing = {
  publicRead: false,
  publicUrl: undefined,
  corsOrigins: [],
  links: createLinkSigner([]),
  credentials: NO_CREDENTIALS,
};
const rightsOf = (caller: Caller) => RIGHTS_OF_KEYS.filter((right) => may(caller, right, { name: "private" }));

test("a response is publicly cacheable only when a client without a key may read it", () => {
  const apiKeys = parseApiKeys(API_KEYS);
  const openTo = (options: Partial<AccessOptions>) =>
    RIGHTS_OF_KEYS.filter((right) => mayEverywhere(createAccess({ ...nothing, apiKeys, ...options }).anyone(), right));
  expect(openTo({ publicRead: false })).toEqual([]);
  expect(openTo({ publicRead: true })).toEqual(["read"]);
  expect(openTo({ apiKeys: [] })).toEqual([...RIGHTS_OF_KEYS]);
});

test("a request is attributed to a caller: its kind, id, name and rights", async () => {
  const apiKeys = parseApiKeys(API_KEYS);
  const callerOf = async (name: string | undefined, options: Partial<AccessOptions>) => {
    const request = new Request("http://localhost/", { headers: name === undefined ? {} : bearer(name) });
    const { caller } = await createAccess({ ...nothing, apiKeys, ...options }).authenticate(request);
    return [caller.kind, caller.id, caller.name, rightsOf(caller)];
  };
  expect(await callerOf(undefined, { apiKeys: [] })).toEqual(["local", null, null, [...RIGHTS_OF_KEYS]]);
  expect(await callerOf("reader", { apiKeys: [] })).toEqual(["local", null, null, [...RIGHTS_OF_KEYS]]);
  expect(await callerOf(undefined, {})).toEqual(["anonymous", null, null, []]);
  expect(await callerOf(undefined, { publicRead: true })).toEqual(["anonymous", null, null, ["read"]]);
  expect(await callerOf("reader", {})).toEqual(["key", "reader", "reader", ["read"]]);
  expect(await callerOf("writer", {})).toEqual(["key", "writer", "writer", ["write"]]);
  expect(await callerOf("writer", { publicRead: true })).toEqual(["key", "writer", "writer", ["read", "write"]]);
  expect(await callerOf("boss", {})).toEqual(["key", "boss", "boss", [...RIGHTS_OF_KEYS]]);
  const refusal = await rejectionOf(callerOf("stranger", { publicRead: true }));
  expect(refusal.message).toBe("The API key is not valid.");
});

test.each([
  ["Basic YTpi", "malformed", "Authorization must be sent once, as: Bearer <key>."],
  ["Bearer one, Bearer two", "malformed", "Authorization must be sent once, as: Bearer <key>."],
  [
    "Bearer imgst_cut",
    "malformed",
    "The API key is malformed: it was cut off or mistyped, or is another kind of secret.",
  ],
  ["Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2ln", "unknown", "This store accepts API keys, and no tokens."],
  ["Bearer stranger", "unknown", "The API key is not valid."],
])("the refusal of Authorization %p says what is wrong", (authorization, reason, message) => {
  const access = createAccess({
    ...nothing,
    apiKeys: [{ name: "app", rights: new Set(["read"]), sha256: "0".repeat(64) }],
  });
  const identify = () => access.authenticate(new Request("http://localhost/", { headers: { authorization } }));
  expect(identify).toThrow(expect.objectContaining({ code: "unauthorized", reason, message }));
});

test("a link permits to read and transform its image until it expires", () => {
  const links = createLinkSigner([{ id: "one", secret: "s".repeat(43) }], () => 0);
  const access = createAccess({ ...nothing, apiKeys: [], links });
  const [path = "", search = ""] = links.sign("/path", "w=1", 60).target.split("?");
  expect(access.authenticateLink(path, search)).toEqual({ query: "w=1", maxAge: 60 });
  expect(access.authenticateLink("/path", "w=1")).toBeUndefined();
  expect(rightsOf(LINKED)).toEqual(["read", "transform"]);
});
