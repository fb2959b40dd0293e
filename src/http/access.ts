import { timingSafeEqual } from "node:crypto";
import type { ApiKey, Right } from "../domain/access.ts";
import { type Caller, type Grant, LOCAL } from "../domain/caller.ts";
import type { ConfiguredKey, CredentialKind, Identity } from "../domain/credential.ts";
import { StoreError } from "../domain/errors.ts";
import type { Credentials } from "../operations/credentials.ts";
import type { LinkSigner, VerifiedLink } from "../operations/link-signer.ts";
import { digestOf, parseSecret } from "../operations/secrets.ts";
import type { TokenCallers } from "../operations/token-callers.ts";
import { type AccessWatch, watchAccess } from "./access-watch.ts";
import { type AdmissionOptions, createAdmission } from "./admission.ts";
import { type AuthenticateAgain, createAuthenticateAgain } from "./authenticate-again.ts";
import { identifySession } from "./identify-session.ts";
import { createSessionCookie } from "./session-cookie.ts";

export interface AccessOptions extends AdmissionOptions {
  readonly apiKeys: readonly ApiKey[];
  /** Routes with the right `read` need no key. */
  readonly publicRead: boolean;
  readonly links: Pick<LinkSigner, "verify">;
  /** Tokens of another login; undefined: none are accepted. */
  readonly tokens?: Pick<TokenCallers, "find" | "findAgain" | "onChange"> | undefined;
  /** The secrets of the store's own making. */
  readonly credentials: Pick<Credentials, "hasKeys" | "identify" | "recall" | "confirm" | "onChange">;
  /** The clock that access expires by, in milliseconds since 1970; default: the machine's. */
  readonly now?: (() => number) | undefined;
}

export interface Access extends AuthenticateAgain {
  /**
   * For every request, before anything else is looked at.
   * @param fromAnyPage whether it is one that pages of any origin may make
   * @throws StoreError `invalid_host`, `forbidden_origin`
   */
  admit(request: Request, fromAnyPage: boolean): void;
  /**
   * Identifies the caller by the key, token or cookie of the request. A promise only if the catalog must be asked, or for a
   * token that is not remembered.
   * @throws StoreError `unauthorized` for a key or a token that is not valid; `session_ended`; `unavailable`
   */
  authenticate(request: Request): Identity | Promise<Identity>;
  /** Headers of a response that refuses the request: they remove the cookie if it identified the caller. */
  endSession(request: Request): Readonly<Record<string, string>>;
  /** For a streaming response: signals when the request's access ends. The caller disposes of it. */
  watch(request: Request, identity: Identity): AccessWatch;
  /**
   * Where a link is accepted and the target, as sent, has any of a link's parameters, they alone decide, whatever key
   * comes with them; else undefined.
   * @throws StoreError `invalid_link`, `link_expired`
   */
  authenticateLink(path: string, search: string): VerifiedLink | undefined;
  /** The caller without a key. Shared caches may keep what it may read. */
  anyone(): Caller;
}

export interface KeyedAccess extends Access {
  /** The keys of the configuration. */
  configuredKeys(): readonly ApiKey[];
  /** @throws Error where keys were asked for and none would be: a file that is being written must not open the store */
  replaceKeys(keys: readonly ApiKey[]): void;
}

const ANYONE_MAY_READ: readonly Grant[] = [{ rights: new Set<Right>(["read"]), albums: "*" }];
/** A JWT: three parts of base64url, of which the first is a JSON object. No key that the store makes has this form. */
const TOKEN = /^e[yw][\w-]*\.[\w-]*\.[\w-]*$/;

/** What every caller may do, with or without a key. */
export const grantsOfAll = ({ publicRead }: Pick<AccessOptions, "publicRead">): readonly Grant[] =>
  publicRead ? ANYONE_MAY_READ : [];

const lasting = (caller: Caller): Identity => ({ caller, expiresAt: null });
const LOCAL_IDENTITY = lasting(LOCAL);

/** Identifies callers; domain/caller.ts decides what they may do. */
export function createAccess(options: AccessOptions): KeyedAccess {
  const { credentials, tokens, now = Date.now } = options;
  const sessionCookie = createSessionCookie(options);
  const sessionOf = (request: Request) => sessionCookie.read(request);
  const anonymous = lasting({ kind: "anonymous", id: null, name: null, grants: grantsOfAll(options) });
  const listeners = new Set<() => void>();
  let { apiKeys } = options;
  const toKnown = (each: readonly ApiKey[]) => each.map((key) => toKnownKey(key, anonymous.caller.grants));
  let keys = toKnown(apiKeys);
  const isKeyless = () => keys.length === 0 && tokens === undefined && !credentials.hasKeys;
  const admit = createAdmission(options, isKeyless);

  function findKey(secret: string): KnownKey | undefined {
    const digest = Bun.SHA256.hash(secret);
    // Every key is compared, so that the time taken says nothing.
    return keys.reduce<KnownKey | undefined>(
      (found, key) => (timingSafeEqual(key.digest, digest) ? key : found),
      undefined,
    );
  }

  const grantsOfConfiguredKey = (key: ConfiguredKey): readonly Grant[] | undefined =>
    keys.find(({ identity }) => Bun.deepEquals(identity.configuredKey, key))?.identity.caller.grants;

  /**
   * Where there is an `Authorization` it alone decides.
   * @param session the secret of the session that the request may use
   */
  function identifyRequest(authorization: string | null, session: string | undefined): Identity | Promise<Identity> {
    return authorization === null && session !== undefined
      ? identifySession({ credentials, grantsOfConfiguredKey, tokens }, session)
      : identify(authorization);
  }

  /** @param authorization the header as it came: the runtime joins several with a comma and a space, which no key has */
  function identify(authorization: string | null): Identity | Promise<Identity> {
    // Another node, or a command, may have made the first key.
    if (isKeyless() && !SHARE.test(authorization ?? ""))
      return credentials.confirm()?.then(() => identify(authorization)) ?? LOCAL_IDENTITY;
    if (authorization === null) return anonymous;
    const text = /^bearer +(\S+)$/i.exec(authorization)?.[1];
    if (text === undefined) throw refusal("malformed", "Authorization must be sent once, as: Bearer <key>.");
    const isToken = TOKEN.test(text);
    if (tokens !== undefined && isToken) return tokens.find(text);
    if (!OWN_SECRET.test(text)) return findKey(text)?.identity ?? refuseUnknown(isToken);
    const recalled = credentials.recall(SENT_AS_BEARER, digestOf(text));
    if (recalled !== undefined) return recalled;
    const secret = parseSecret(text);
    const { kind } = secret ?? {};
    if (secret === undefined || (kind !== "key" && kind !== "share"))
      throw refusal("malformed", "The API key is malformed: it was cut off or mistyped, or is another kind of secret.");
    return credentials.identify({ ...secret, kind });
  }

  function authenticate(request: Request) {
    const authorization = request.headers.get("authorization");
    return authorization === null ? identifyRequest(null, sessionOf(request)) : identify(authorization);
  }

  const onChange = (listener: () => void) => {
    listeners.add(listener);
    return endAll([() => listeners.delete(listener), credentials.onChange(listener), tokens?.onChange(listener)]);
  };

  return {
    admit,

    ...createAuthenticateAgain({ identify: authenticate, confirm: credentials.confirm, onChange }),

    authenticate,

    endSession: (request) => (request.headers.has("authorization") ? {} : sessionCookie.signOut(request)),

    watch(request, identity) {
      const authorization = request.headers.get("authorization");
      const session = sessionOf(request);
      return watchAccess(identity, {
        identify: () => identifyRequest(authorization, session),
        confirm: credentials.confirm,
        onChange,
        now,
      });
    },

    authenticateLink: (path, search) => options.links.verify(path, search),

    anyone: () => (isKeyless() ? LOCAL : anonymous.caller),

    configuredKeys: () => apiKeys,

    replaceKeys(replacements) {
      if (keys.length > 0 && replacements.length === 0 && tokens === undefined && !credentials.hasKeys)
        throw new Error("No API key is left. Start the store again to serve without.");
      apiKeys = replacements;
      keys = toKnown(replacements);
      for (const listener of listeners) listener();
    },
  };
}

/** A session counts by its cookie alone. */
const SENT_AS_BEARER: ReadonlySet<CredentialKind> = new Set(["key", "share"]);

const endAll = (subscriptions: readonly ((() => unknown) | undefined)[]) => () => {
  for (const end of subscriptions) end?.();
};

interface KnownKey {
  readonly digest: Buffer;
  readonly identity: Identity;
}

function toKnownKey({ name, rights, sha256 }: ApiKey, ofAll: readonly Grant[]): KnownKey {
  const identity = lasting({ kind: "key", id: name, name, grants: [{ rights, albums: "*" }, ...ofAll] });
  return { digest: Buffer.from(sha256, "hex"), identity: { ...identity, configuredKey: { name, sha256 } } };
}

/** It gives less than a store without keys does, so such a store honours it too. */
const SHARE = /^bearer +imgsh_/i;
/** How secrets of the store's own making begin. */
const OWN_SECRET = /^img[a-z]{2}_/;

const refusal = (reason: "malformed" | "unknown", message: string) =>
  new StoreError("unauthorized", message, { reason });

function refuseUnknown(isToken: boolean): never {
  throw refusal("unknown", isToken ? "This store accepts API keys, and no tokens." : "The API key is not valid.");
}
