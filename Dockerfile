# The server as a container image. `docker build -t sconce .`; with PyTorch for models that only Python can run: `--target python`,
# with what `--cache-store` needs: `--target cache`.
# docs/containers.md says how to run it. `npm run image` makes the same without a Docker daemon.

FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY . .
RUN npm ci && npm run build && node scripts/image-app.mjs /app

FROM node:24-bookworm-slim AS server
RUN groupadd --gid 65532 sconce && useradd --uid 65532 --gid 65532 --create-home sconce && mkdir /models
COPY --from=build /app /app
USER 65532:65532
EXPOSE 8080/tcp
ENV NODE_ENV=production SCONCE_HOST=0.0.0.0 SCONCE_TRANSLATION_CACHE=off
WORKDIR /home/sconce
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s CMD ["node", "/app/scripts/container-health.mjs"]
ENTRYPOINT ["node", "--max-semi-space-size=4", "--heap-growing-percent=80", "/app/packages/server/bin/sconce.js"]
CMD ["serve", "/models"]

FROM server AS python
USER root
RUN apt-get update && apt-get install --yes --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/* \
  && python3 -m venv /opt/python \
  && /opt/python/bin/pip install --no-cache-dir numpy torch --extra-index-url https://download.pytorch.org/whl/cpu
ENV SCONCE_PYTHON=/opt/python/bin/python
USER 65532:65532

FROM server AS cache
USER root
RUN npm install --prefix /tmp/client --no-audit --no-fund @redis/client@6.3.1 && mv /tmp/client/node_modules/@redis /app/node_modules/ && rm -r /tmp/client
USER 65532:65532

FROM server
