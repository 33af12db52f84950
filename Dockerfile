# The platform's one image: every component of a cluster is made of it. `dev/image.sh` builds it.
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates etcd-server git \
    && rm -rf /var/lib/apt/lists/* /etc/init.d/etcd
COPY ambod ambo /usr/local/bin/
CMD ["ambod", "serve"]
