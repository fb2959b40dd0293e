import { availableParallelism } from "node:os";
import { createProber } from "./adapters/renderer/probe.ts";
import { createRenderer } from "./adapters/renderer/renderer.ts";
import { openVariantCache } from "./adapters/variants/variant-cache.ts";
import { startWorkers } from "./background.ts";
import { VERSION } from "./cli/version.ts";
import type { Config } from "./config.ts";
import { createAccess } from "./http/access.ts";
import { buildOpenApi } from "./http/openapi.ts";
import type { Route } from "./http/route.ts";
import { albumRoutes } from "./http/routes/albums.ts";
import { type ContentRouteNeeds, contentRoutes } from "./http/routes/content.ts";
import { type CursorNeeds, cursorRoutes } from "./http/routes/cursors.ts";
import { type DocsNeeds, docsRoutes } from "./http/routes/docs.ts";
import { type EventNeeds, eventRoutes } from "./http/routes/events.ts";
import { type HealthNeeds, healthRoutes } from "./http/routes/health.ts";
import { imageRoutes } from "./http/routes/images.ts";
import { type LinkNeeds, linkRoutes } from "./http/routes/links.ts";
import { type UploadNeeds, uploadRoutes } from "./http/routes/uploads.ts";
import { createHttpApp, serve } from "./http/server.ts";
import { type Logger, silentLogger } from "./observe/logger.ts";
import { measureBlobs, measureCatalog, measureProber, measureRenderer } from "./observe/measure.ts";
import { createMetrics, type Metrics } from "./observe/metrics.ts";
import { observeOriginalsCache } from "./observe/originals.ts";
import { observeRequests } from "./observe/requests.ts";
import { scrape } from "./observe/scrape.ts";
import { observeVariantCache } from "./observe/variants.ts";
import type { AlbumPorts } from "./operations/albums.ts";
import { createEventFeed } from "./operations/event-feed.ts";
import { createRunningKeys } from "./operations/idempotency.ts";
import { createLinkSigner } from "./operations/link-signer.ts";
import { ensureLinkKey } from "./operations/links.ts";
import { createSingleFlight } from "./operations/single-flight.ts";
import { createUploadSlots } from "./operations/upload-slots.ts";
import { createVariantReader } from "./operations/variant-reader.ts";
import type { Prober, Publisher, Renderer, Variant, VariantCache } from "./ports.ts";
import { lockFolders, openBlobs, openCatalog, openOriginals } from "./stores.ts";

type Needs = AlbumPorts &
  UploadNeeds &
  ContentRouteNeeds &
  LinkNeeds &
  EventNeeds &
  CursorNeeds &
  DocsNeeds &
  HealthNeeds;
const routes: readonly Route<Needs>[] = [
  ...albumRoutes,
  ...imageRoutes,
  ...uploadRoutes,
  ...contentRoutes,
  ...linkRoutes,
  ...eventRoutes,
  ...cursorRoutes,
  ...docsRoutes,
  ...healthRoutes,
];

let description: string | undefined;
/** The text of openapi.json, made when it is first asked for. */
export const describeApi = (): string =>
  (description ??= `${JSON.stringify(buildOpenApi(routes, VERSION), null, 2)}\n`);

/** A store that serves. Disposing of it stops accepting, finishes what runs (bounded), and closes everything. */
export interface App extends AsyncDisposable {
  /** Where it listens, without a trailing slash. */
  readonly url: string;
  /** Answers a request as the server would, without a socket. */
  readonly fetch: (request: Request) => Promise<Response>;
}

export interface AppOptions {
  /** Default: none. */
  readonly logger?: Logger;
  /** The catalog failed beyond repair: the process should end, and recover when it starts. */
  readonly onCatalogFailure?: (error: Error) => void;
  /** Instead of the one that the configuration names. */
  readonly publisher?: Publisher;
  /** The clock that links expire by, in milliseconds since 1970; default: the machine's. */
  readonly now?: () => number;
  /** How long an upload may be slower than the limit, in milliseconds; default: ten seconds. */
  readonly uploadPatience?: number;
}

/** The one place that ties everything together. What is opened first is closed last. */
export async function createApp(config: Config, options: AppOptions = {}): Promise<App> {
  const { logger = silentLogger, onCatalogFailure = () => {} } = options;
  const metrics = createMetrics();
  await using opening = new AsyncDisposableStack();

  const observe = ({ batchSize }: { batchSize: number }) => metrics.commitBatchSize.observe(batchSize);
  const catalog = opening.use(
    measureCatalog(
      await openCatalog(config, { as: "server", onFatal: onCatalogFailure, observe }),
      metrics.catalogDuration,
    ),
  );
  opening.use(await lockFolders(config));
  const stored = opening.use(measureBlobs(await openBlobs(config, "server"), metrics.blobDuration));
  const originals = opening.use(await openOriginals(config, stored, observeOriginalsCache(metrics)));
  const blobs = originals ?? stored;
  const variantCache = opening.use(await openCacheOfVariants(config, metrics));
  const prober = opening.use(createImageProber(config, metrics));
  const renderer = opening.use(createPictureRenderer(config, metrics));
  const publisher = options.publisher ?? (config.kafka && (await createPublisher(config.kafka)));
  if (publisher !== undefined) opening.use(publisher);

  const uploadSlots = createUploadSlots(config.limits.maxUploadsInFlight, metrics.uploadsInFlight);
  opening.use(
    startWorkers(
      { catalog, blobs, originals, renderer, variantCache, publisher, uploadSlots },
      config,
      logger,
      metrics,
    ),
  );

  const linkKeys = config.linkKeys.length > 0 ? config.linkKeys : [await ensureLinkKey({ catalog })];
  const links = createLinkSigner(linkKeys, options.now);
  const needs: Needs = {
    catalog,
    blobs,
    prober,
    renderer,
    variantCache,
    variantFlights: createSingleFlight<Variant>(),
    variantReader: createVariantReader(config.presets, renderer.version),
    limits: config.limits,
    presets: config.presets,
    publicRead: config.publicRead,
    publicUrl: config.publicUrl,
    links,
    uploadSlots,
    ...(options.uploadPatience === undefined ? {} : { uploadPatience: options.uploadPatience }),
    eventFeed: opening.use(createEventFeed(catalog)),
    runningKeys: createRunningKeys(),
    openApi: describeApi,
    sseClients: metrics.sseClients,
    metrics: () => scrape(metrics, { catalog, blobs, relayCursor: publisher?.topic }),
  };
  const http = createHttpApp(routes, needs, {
    access: createAccess({ ...config, links }),
    corsOrigins: config.corsOrigins,
    maxJson: config.limits.maxJson,
    ...observeRequests(logger, metrics),
  });
  const server = serve(http, config);
  opening.defer(async () => {
    const finished = await server.stop(config.shutdownTimeout);
    if (!finished) logger.warn("requests were cut off: they ran for longer than a stopping server waits");
  });

  const stack = opening.move();
  const never = new AbortController().signal;
  return {
    url: server.url.origin,
    fetch: (request) => http.fetch(request, { stopping: never }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const openCacheOfVariants = ({ variantCache, minFree, imageCache }: Config, metrics: Metrics): Promise<VariantCache> =>
  openVariantCache({ ...variantCache, minFree, memoryBytes: imageCache, observer: observeVariantCache(metrics) });

const createImageProber = ({ limits }: Config, metrics: Metrics): Prober =>
  measureProber(
    createProber({
      maxPixels: limits.maxPixels,
      acceptTiff: limits.acceptTiff,
      children: availableParallelism(),
    }),
    metrics.rendererDuration,
  );

/** Apart from the prober's children, so that no upload waits behind a picture. */
const createPictureRenderer = ({ limits, renderers, exposeLocation }: Config, metrics: Metrics): Renderer =>
  measureRenderer(
    createRenderer({
      maxPixels: limits.maxPixels,
      exposeLocation,
      children: renderers ?? Math.max(1, availableParallelism() - 1),
    }),
    metrics.rendererDuration,
  );

/** Loaded only here: most stores have no Kafka, and its client costs time and memory. */
async function createPublisher(kafka: NonNullable<Config["kafka"]>): Promise<Publisher> {
  const { createKafkaPublisher } = await import("./adapters/publisher/kafka.ts");
  return createKafkaPublisher(kafka);
}
