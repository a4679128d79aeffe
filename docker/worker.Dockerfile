# The image of worker. Build it from the root of the repository:
#   docker build -f docker/worker.Dockerfile --build-arg VERSION=$(git describe --tags --always) -t etrainer/worker .
FROM golang:1.26.8-bookworm AS build
ENV GOWORK=off GOTOOLCHAIN=local CGO_ENABLED=0
WORKDIR /src

# A layer of its own: it changes only when a dependency does.
COPY pkg/go.mod pkg/go.sum pkg/
COPY worker/go.mod worker/go.sum worker/
RUN go -C worker mod download

COPY pkg pkg
COPY worker worker
ARG VERSION=dev
ARG COMMIT=
RUN GOPROXY=off go -C worker build -trimpath -ldflags "-s -w -X github.com/etrainer/backend/pkg/version.Version=$VERSION -X github.com/etrainer/backend/pkg/version.Commit=$COMMIT" -o /out/worker ./cmd/worker
RUN mkdir -p /out/media /out/backups

# Nothing but the program and the certificates that it trusts: run it with a
# read-only root.
FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="etrainer worker" org.opencontainers.image.version=$VERSION
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/worker /worker
# For volumes of uploaded files and backups: a new one gets the owner of its folder.
COPY --from=build --chown=65532:65532 /out/media /media
COPY --from=build --chown=65532:65532 /out/backups /backups
USER 65532:65532
ENV NODE_ENV=production
# Private: /livez, /readyz and /metrics.
EXPOSE 9091
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/worker", "ping"]
ENTRYPOINT ["/worker"]
