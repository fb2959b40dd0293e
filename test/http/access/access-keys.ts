import { testKeys } from "../test-keys.ts";

export const KEYS = {
  reader: "read",
  writer: "write",
  remover: "delete",
  follower: "events",
  sharer: "read+share",
  boss: "read+write+delete+transform+share+events+admin",
} as const;

export const { API_KEYS, bearer, secretOf } = testKeys<string>(KEYS);
