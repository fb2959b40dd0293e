import type { AccessOptions } from "../../src/http/access.ts";
import { createLinkSigner } from "../../src/operations/link-signer.ts";

/** A catalog that no key was ever made in. */
export const NO_CREDENTIALS: AccessOptions["credentials"] = {
  hasKeys: false,
  identify: () => {
    throw new Error("No secret was made.");
  },
  recall: () => undefined,
  confirm: () => undefined,
  onChange: () => () => {},
};

/** A store without keys, which serves this machine only. */
export const WITHOUT_KEYS: AccessOptions = {
  apiKeys: [],
  publicRead: false,
  publicUrl: undefined,
  corsOrigins: [],
  links: createLinkSigner([]),
  credentials: NO_CREDENTIALS,
};
