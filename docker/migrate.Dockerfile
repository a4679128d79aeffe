# The image of migrate. Build it from the root of the repository:
#   docker build -f docker/migrate.Dockerfile --build-arg VERSION=$(git describe --tags --always) -t etrainer/migrate .
FROM golang:1.26.8-bookworm AS build
ENV GOWORK=off GOTOOLCHAIN=local CGO_ENABLED=0
WORKDIR /src

# A layer of its own: it changes only when a dependency does.
COPY pkg/go.mod pkg/go.sum pkg/
COPY migrations/go.mod migrations/go.sum migrations/
RUN go -C migrations mod download

COPY pkg pkg
COPY migrations migrations
ARG VERSION=dev
ARG COMMIT=
RUN GOPROXY=off go -C migrations build -trimpath -ldflags "-s -w -X github.com/etrainer/backend/pkg/version.Version=$VERSION -X github.com/etrainer/backend/pkg/version.Commit=$COMMIT" -o /out/migrate ./cmd/migrate

# Nothing but the program and the certificates that it trusts: run it with a
# read-only root.
FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="etrainer migrate" org.opencontainers.image.version=$VERSION
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/migrate /migrate
USER 65532:65532
ENV NODE_ENV=production
# It runs once, and ends: 0 = the database is as the programs need it.
HEALTHCHECK NONE
ENTRYPOINT ["/migrate"]
CMD ["up"]
