# The steps are those of .ci/run: npm ci, npm run build. Both images can be given with a digest, as the
# release does, which looks up what the tags stand for (.github/workflows/release.yml):
#   docker build --build-arg BASE_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot@sha256:… .
ARG BUILD_IMAGE=node:24-trixie-slim
ARG BASE_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot

# What is built is the same for every processor.
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json tsconfig.json LICENSE ./
RUN npm ci
COPY src ./src
COPY deploy/package ./deploy/package
# Shown in coturn_exporter_build_info: docker build --build-arg REVISION=$(git rev-parse HEAD) .
ARG REVISION=unknown
RUN REVISION=${REVISION} npm run build

# No shell and no package manager: Node.js, certificates, and one script.
FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="coturn-exporter" \
  org.opencontainers.image.description="Prometheus exporter and session records for coturn" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/dist/coturn-exporter.cjs /app/dist/LICENSES.txt ./
# `nonroot` in the base image. As a number, since Kubernetes checks runAsNonRoot by it.
USER 65532:65532
# Metrics; and the embedded statsdb, which listens on loopback unless told otherwise:
# docker run … --statsdb.listen-address 0.0.0.0:6380
EXPOSE 10641 6380
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["/nodejs/bin/node", "/app/coturn-exporter.cjs", "healthcheck"]
ENTRYPOINT ["/nodejs/bin/node", "/app/coturn-exporter.cjs"]
