import { join } from "node:path";
import { startWorkers } from "./background.ts";
import { createRemembered } from "./concurrency/memo.ts";
import { whenAvailable } from "./concurrency/retry.ts";
import { createSingleFlight } from "./concurrency/single-flight.ts";
import { type Config, requireClosed } from "./config.ts";
import { createAccess, grantsOfAll } from "./http/access.ts";
import { type RouteDeps, routes } from "./http/all-routes.ts";
import { buildOpenApi } from "./http/openapi.ts";
import { openPage, type PageFiles } from "./http/page-files.ts";
import type { Route } from "./http/route.ts";
import { pageRoutes } from "./http/routes/page.ts";
import { createHttpApp, serve } from "./http/server.ts";
import { createFailureReports } from "./observe/errors.ts";
import { type Logger, silentLogger } from "./observe/logger.ts";
import { measureBlobs, measureCatalog } from "./observe/measure.ts";
import { createMetrics, type Metrics, scrape } from "./observe/metrics.ts";
import { observeNumbering, observeOriginalsCache } from "./observe/observers.ts";
import { observeRequests } from "./observe/requests.ts";
import { createBatchSlots } from "./operations/batches.ts";
import { createCredentials } from "./operations/credentials.ts";
import { createEventFeed } from "./operations/event-feed.ts";
import { createRunningKeys } from "./operations/idempotency.ts";
import { createLinkSigner } from "./operations/link-signer.ts";
import { ensureLinkKey } from "./operations/links.ts";
import { requireOwnBlobs } from "./operations/own-blobs.ts";
import { createProbes } from "./operations/readiness.ts";
import { createRunningTickets } from "./operations/ticket-uploads.ts";
import { createUploadMemory } from "./operations/upload-memory.ts";
import { createUploadSlots } from "./operations/upload-slots.ts";
import { createVariantResolver } from "./operations/variant-resolver.ts";
import { createZipSlots } from "./operations/zip-bytes.ts";
import { createZipPlanner } from "./operations/zip-plan.ts";
import type { WebhookSender } from "./ports/webhook-sender.ts";
import type { Publisher, Variant } from "./ports.ts";
import { createImageProber, createPictureRenderer, openCacheOfVariants } from "./renderers.ts";
import { lockFolders, openCatalog, openOriginals, openOwnBlobs, placesOf, tellWhatOthersMaySee } from "./stores.ts";
import { openLogin, openTokens, type TokenOptions } from "./tokens.ts";
import { VERSION } from "./version.ts";
import { openWebhookSender } from "./webhooks.ts";
import type { WebhookTimes } from "./workers/webhooks/options.ts";

export { routes };

const ofPage: ReadonlySet<Route<RouteDeps>> = new Set(pageRoutes);

let description: string | undefined;
/** The text of openapi.json, generated on first use. */
export const describeApi = (): string =>
  (description ??= `${JSON.stringify(buildOpenApi(routes, VERSION), null, 2)}\n`);

/** A running server. Disposing of it refuses new requests, waits a limited time for running ones, and closes everything. */
export interface App extends AsyncDisposable {
  /** The address it listens on, without a trailing slash. */
  readonly url: string;
  /** Handles a request like the server, without a socket. */
  readonly fetch: (request: Request) => Promise<Response>;
  /**
   * Replaces all keys and the rules for tokens, from the next request on.
   * @throws Error if a store that requires API keys would require none
   */
  replaceKeys(keys: Pick<Config, "apiKeys" | "linkKeys" | "tokens">): Promise<void>;
}

export interface AppOptions extends TokenOptions {
  /** Default: none. */
  readonly logger?: Logger;
  /** Called when the catalog failed beyond repair. The process should end; the next start recovers. */
  readonly onCatalogFailure?: (error: Error) => void;
  /** Folder of the built page; default: the one of the package. */
  readonly pageFolder?: string;
  /** Used instead of the publisher of the configuration. */
  readonly publisher?: Publisher;
  /** Used instead of the one of the configuration. */
  readonly webhookSender?: WebhookSender;
  /** Default: those of webhooks. */
  readonly webhookTimes?: WebhookTimes;
  /** The clock that links and tickets expire by, in milliseconds since 1970; default: the machine's. */
  readonly now?: () => number;
  /** How long an upload may be slower than the limit, in milliseconds; default: ten seconds. */
  readonly uploadPatience?: number;
  /** Aborts the start with the signal's reason. Ignored afterwards. */
  readonly signal?: AbortSignal;
}

/** Composition root: opens everything in order, and closes it in reverse order. */
export async function createApp(config: Config, options: AppOptions = {}): Promise<App> {
  const { logger = silentLogger } = options;
  const metrics = createMetrics();
  await using opening = new AsyncDisposableStack();
  const parts = await openParts(opening, config, { ...options, logger }, metrics);
  const linkKeysOf = async ({ linkKeys }: Pick<Config, "linkKeys">) =>
    linkKeys.length > 0 ? linkKeys : [await ensureLinkKey({ catalog: parts.catalog })];
  const links = createLinkSigner(await linkKeysOf(config), options.now);
  const { now } = options;
  const grants = grantsOfAll(config);
  const credentials = opening.use(
    await createCredentials({
      catalog: parts.catalog,
      grantsOfAll: grants,
      ...(now === undefined ? {} : { now }),
    }),
  );
  requireClosed(config, credentials.hasKeys);
  const tokens = await openTokens(opening, config.tokens, {
    ...options,
    grantsOfAll: grants,
    reports: parts.reports,
    metrics,
  });
  const access = createAccess({ ...config, links, credentials, tokens: tokens?.callers, now });
  const deps: RouteDeps = {
    ...createDeps(parts, config, metrics),
    onUndecodable: (imageId, error) => logger.info({ imageId, error }, "variant could not be rendered"),
    onZipCut: (albumId, error) => logger.warn({ albumId, error }, "download of an album was cut off"),
    links,
    credentials,
    configuredKeys: () => access.configuredKeys(),
    now: options.now ?? Date.now,
    ...(options.uploadPatience === undefined ? {} : { uploadPatience: options.uploadPatience }),
    eventFeed: opening.use(createEventFeed(parts.catalog)),
    page: config.page ? openPageOf(options.pageFolder ?? PAGE_FOLDER, logger) : undefined,
    login: await openLogin(config.login, logger),
  };
  const http = createHttpApp(deps.page === undefined ? routes.filter((one) => !ofPage.has(one)) : routes, deps, {
    access,
    corsOrigins: config.corsOrigins,
    trustedProxies: config.trustedProxies,
    maxJson: config.limits.maxJson,
    ...observeRequests(logger, metrics),
  });
  const server = serve(http, config);
  opening.defer(async () => {
    const finished = await server.stop(config.shutdownTimeout);
    if (!finished) logger.warn("stop timed out: running requests were cut off");
  });

  const stack = opening.move();
  const never = new AbortController().signal;
  return {
    url: server.url.origin,
    fetch: async (request) => http.fetch(request, { stopping: never }),
    async replaceKeys(keys) {
      const linkKeys = await linkKeysOf(keys);
      access.replaceKeys(keys.apiKeys);
      links.replaceKeys(linkKeys);
      tokens?.replace(keys.tokens);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Opens stores, renderers and publisher, and starts the workers. */
async function openParts(
  opening: AsyncDisposableStack,
  config: Config,
  options: AppOptions & { readonly logger: Logger },
  metrics: Metrics,
) {
  const { logger, onCatalogFailure = () => {} } = options;
  const reports = createFailureReports(logger);
  const observeLog = observeNumbering(reports);
  const observe = ({ batchSize }: { batchSize: number }) => metrics.commitBatchSize.observe(batchSize);
  const places = placesOf(config);
  const waitFor = <Value>(place: string, open: () => Promise<Value>) =>
    whenAvailable(open, {
      within: config.startTimeout,
      onWait: (error) => logger.warn({ place, error }, "dependency unavailable at start: retrying"),
      signal: options.signal,
    });
  const catalog = opening.use(
    measureCatalog(
      await waitFor(places.catalog, () =>
        openCatalog(config, { as: "server", onFatal: onCatalogFailure, observe, observeLog }),
      ),
      metrics.catalogDuration,
    ),
  );
  opening.use(await lockFolders(config));
  await tellWhatOthersMaySee(config, logger);
  const openedBlobs = await waitFor(places.blobs, () => openOwnBlobs(config, catalog, "server"));
  const stored = opening.use(measureBlobs(openedBlobs, metrics.blobDuration));
  const originals = opening.use(await openOriginals(config, stored, observeOriginalsCache(metrics)));
  const blobs = originals ?? stored;
  const variantCache = opening.use(await openCacheOfVariants(config, metrics));
  const prober = opening.use(createImageProber(config, metrics));
  const renderer = opening.use(createPictureRenderer(config, metrics));
  const publisher = options.publisher ?? (config.kafka && (await createPublisher(config.kafka)));
  if (publisher !== undefined) opening.use(publisher);

  const webhookSender = opening.use(options.webhookSender ?? openWebhookSender(config));
  const uploadSlots = createUploadSlots(config.limits.maxUploadsInFlight, metrics.uploadsInFlight);
  opening.use(
    startWorkers(
      {
        catalog,
        blobs,
        originals,
        renderer,
        variantCache,
        publisher,
        webhookSender,
        webhookTimes: options.webhookTimes,
        uploadSlots,
        requireOwner: () => requireOwnBlobs({ catalog, blobs: stored }, { places, claim: true }),
      },
      config,
      { logger, reports, metrics },
    ),
  );
  return { catalog, blobs, prober, renderer, variantCache, publisher, webhookSender, uploadSlots, reports };
}

/** What the routes need, apart from what depends on the options. */
function createDeps(
  { publisher, ...parts }: Awaited<ReturnType<typeof openParts>>,
  config: Config,
  metrics: Metrics,
): Omit<
  RouteDeps,
  | "onUndecodable"
  | "onZipCut"
  | "links"
  | "now"
  | "credentials"
  | "configuredKeys"
  | "uploadPatience"
  | "eventFeed"
  | "page"
  | "login"
> {
  const { catalog, renderer } = parts;
  const probes = createProbes(parts);
  const sums = {
    totals: createRemembered(() => catalog.totals()),
    cursors: createRemembered(() => catalog.cursors()),
    describeBacklog: createRemembered(() => catalog.describeBacklog()),
    unreadableSeconds: createRemembered(() => catalog.unreadableSeconds()),
    storeQuota: createRemembered(async () => (await catalog.quotas(["store"]))[0]),
  };
  return {
    ...parts,
    zipPlanner: createZipPlanner(catalog),
    zipSlots: createZipSlots(),
    variantFlights: createSingleFlight<Variant>(),
    variantResolver: createVariantResolver(config.presets, renderer.version),
    limits: config.limits,
    presets: config.presets,
    embeddable: config.publicRead || config.corsOrigins.length > 0,
    cacheTags: config.cacheTags,
    publicUrl: config.publicUrl,
    publicOriginals: config.publicOriginals,
    uploadMemory: createUploadMemory(config.limits.uploadMemory),
    runningKeys: createRunningKeys(),
    batchSlots: createBatchSlots(),
    runningTickets: createRunningTickets(),
    openApi: describeApi,
    version: VERSION,
    sseClients: metrics.sseClients,
    probes,
    metrics: () =>
      scrape(metrics, {
        catalog: sums,
        blobs: probes.blobs,
        relayCursor: publisher?.topic,
        describes: config.describe,
      }),
  };
}

const PAGE_FOLDER = join(import.meta.dir, "../dist/page");

function openPageOf(folder: string, logger: Logger): PageFiles | undefined {
  const page = openPage(folder);
  if (page === undefined) logger.warn({ folder }, "the page is not built: not serving it; npm run prepare builds it");
  return page;
}

/** Imported on demand: most stores have no Kafka, and its client takes time and memory. */
async function createPublisher(kafka: NonNullable<Config["kafka"]>): Promise<Publisher> {
  const { createKafkaPublisher } = await import("./adapters/publisher/kafka.ts");
  return createKafkaPublisher(kafka);
}
