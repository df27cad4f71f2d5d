FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /recant
COPY . .
RUN cargo build --release --locked --bin recant

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /recant/target/release/recant /usr/local/bin/recant
ENTRYPOINT ["/usr/local/bin/recant"]
CMD ["run"]
