# syntax=docker/dockerfile:1

# Both stages have glibc: npm picks Bun's and sharp's binaries by the C library that it runs on, and it is what is tested.
FROM node:24-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# The page is built of these by `npm ci`.
COPY client/src ./client/src
COPY web ./web
# Bun comes as a package. Its files are there twice (bun.exe and bunx.exe); one is enough.
RUN npm ci --omit=dev --no-audit --no-fund \
  && mkdir /opt/bun \
  && mv node_modules/bun/bin/bun.exe /opt/bun/bun \
  && rm -r node_modules/bun node_modules/@oven node_modules/.bin

FROM debian:trixie-slim
LABEL org.opencontainers.image.title="Image Store" \
  org.opencontainers.image.description="Albums and images behind a REST API, with an event for every change" \
  org.opencontainers.image.licenses="Apache-2.0"

RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin image-store \
  && install --directory --owner=image-store --group=image-store --mode=700 /data
COPY --from=build /opt/bun/bun /usr/local/bin/bun
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY package.json ./
COPY src ./src
COPY client/src ./client/src
COPY --from=build /app/dist ./dist

# Others reach a container by its network: the store refuses to start there without API keys.
ENV IMAGE_STORE_HOST=0.0.0.0 \
  IMAGE_STORE_DATA=/data \
  NODE_ENV=production \
  # Nothing is written but what lies in /data and /tmp.
  BUN_RUNTIME_TRANSPILER_CACHE_PATH=0
VOLUME /data
EXPOSE 8080
# By number, so that an orchestrator can tell that it is not root.
USER 10001:10001

HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["bun", "-e", "const { ok } = await fetch(`http://127.0.0.1:${process.env.IMAGE_STORE_PORT || 8080}/healthz`); process.exit(ok ? 0 : 1)"]

# It ends streams, finishes what runs for IMAGE_STORE_SHUTDOWN_TIMEOUT and exits with 0: give it longer than that to stop.
STOPSIGNAL SIGTERM
ENTRYPOINT ["bun", "/app/src/main.ts"]
