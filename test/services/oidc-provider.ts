import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { type JWK, Provider } from "oidc-provider";

export const RESOURCE = "https://images.example.org";
const CLIENT = { id: "app", secret: "app-secret" };
const CALLBACK = "http://127.0.0.1:1/callback";
/** The public client of a store's page on loopback, at any port. */
export const PAGE_CLIENT = "image-store-page";

/** A real OpenID provider on loopback, with an application and accounts of any name. */
export interface OidcProvider extends AsyncDisposable {
  readonly issuer: string;
  readonly port: number;
  /** A token of the application itself. */
  clientToken(options?: { scope?: string; resource?: string }): Promise<string>;
  /** Those that the application gets when a user signs in to it. */
  signIn(login: string): Promise<{ accessToken: string; idToken: string }>;
}

export interface ProviderOptions {
  /** The first signs. */
  readonly keys: readonly JWK[];
  /** Default: a free one. */
  readonly port?: number;
  /** Lifetime of access tokens in seconds. */
  readonly lifetime?: number;
}

/** A private key of the provider, for one algorithm. */
export function providerKey(alg: "RS256" | "ES256", kid: string): JWK {
  const { privateKey } =
    alg === "RS256"
      ? generateKeyPairSync("rsa", { modulusLength: 2048 })
      : generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { ...privateKey.export({ format: "jwk" }), kid, alg, use: "sig" };
}

export async function startProvider({ keys, port = 0, lifetime = 300 }: ProviderOptions): Promise<OidcProvider> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The provider has no port.");
  const issuer = `http://127.0.0.1:${address.port}`;
  const [signer] = keys;
  const provider = new Provider(issuer, {
    jwks: { keys: [...keys] },
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        grant_types: ["client_credentials", "authorization_code"],
        redirect_uris: [CALLBACK],
        response_types: ["code"],
        id_token_signed_response_alg: signer?.alg as "RS256",
      },
      {
        client_id: PAGE_CLIENT,
        application_type: "native",
        token_endpoint_auth_method: "none",
        grant_types: ["authorization_code"],
        redirect_uris: ["http://127.0.0.1/sign-in"],
        response_types: ["code"],
        id_token_signed_response_alg: signer?.alg as "RS256",
      },
    ],
    clientBasedCORS: (_context, origin, { clientId }) =>
      clientId === PAGE_CLIENT && origin.startsWith("http://127.0.0.1:"),
    cookies: { keys: ["cookies of the test"] },
    pkce: { required: (_context, { clientId }) => clientId === PAGE_CLIENT },
    findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    scopes: ["openid", "images", "other"],
    ttl: {
      AccessToken: lifetime,
      ClientCredentials: lifetime,
      Grant: 600,
      IdToken: 300,
      Interaction: 600,
      Session: 600,
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context, audience) => ({
          scope: "images other",
          audience,
          accessTokenTTL: lifetime,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: signer?.alg as "RS256" } },
        }),
      },
    },
  });
  const handle = provider.callback();
  server.on("request", (request, response) => void handle(request, response));

  const requestTokens = async (form: Readonly<Record<string, string>>) => {
    const response = await fetch(`${issuer}/token`, {
      method: "POST",
      headers: { Authorization: `Basic ${btoa(`${CLIENT.id}:${CLIENT.secret}`)}` },
      body: new URLSearchParams(form),
    });
    const tokens = (await response.json()) as { access_token?: string; id_token?: string };
    if (tokens.access_token === undefined) throw new Error(`No token: ${JSON.stringify(tokens)}`);
    return { accessToken: tokens.access_token, idToken: tokens.id_token ?? "" };
  };

  return {
    issuer,
    port: address.port,
    async clientToken({ scope = "images", resource = RESOURCE } = {}) {
      return (await requestTokens({ grant_type: "client_credentials", scope, resource })).accessToken;
    },
    async signIn(login) {
      const code = await signInAt(issuer, login);
      return requestTokens({ grant_type: "authorization_code", code, redirect_uri: CALLBACK });
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What a browser does: it follows redirects with its cookies, and fills in the forms of the login and of the consent. */
async function signInAt(issuer: string, login: string): Promise<string> {
  const cookies = new Map<string, string>();
  const query = {
    client_id: CLIENT.id,
    response_type: "code",
    scope: "openid images",
    redirect_uri: CALLBACK,
    nonce: "n",
  };
  let url = `${issuer}/auth?${new URLSearchParams({ ...query, resource: RESOURCE }).toString()}`;
  let form: URLSearchParams | undefined;
  for (let step = 0; step < 20; step++) {
    const response: Response = await fetch(url, {
      redirect: "manual",
      headers: { Cookie: [...cookies].map((pair) => pair.join("=")).join("; ") },
      ...(form === undefined ? {} : { method: "POST", body: form }),
    });
    form = undefined;
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      cookies.set(name, value);
    }
    const location = response.headers.get("location");
    const page = await response.text();
    if (location !== null) {
      url = new URL(location, url).href;
      const code = url.startsWith(CALLBACK) ? new URL(url).searchParams.get("code") : null;
      if (code !== null) return code;
      continue;
    }
    const action = /action="([^"]+)"/.exec(page)?.[1] ?? "";
    const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
    if (prompt === undefined) throw new Error(`The provider shows no form: ${page}`);
    form = new URLSearchParams(prompt === "login" ? { prompt, login, password: "any" } : { prompt });
    url = new URL(action, url).href;
  }
  throw new Error("The provider does not come back to the application.");
}
