# Trackly Sync: Dagster's pages and daemon by default; any other command of trackly-sync by its name.
# What is installed, and how, is what `make setup` and `make wheel` do; tests/packaging/test_containers.py holds them together.
FROM python:3.13.9-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/trackly-sync
COPY requirements-container.lock ./
RUN /opt/trackly-sync/bin/python -m pip --disable-pip-version-check --no-cache-dir -qq install --no-deps --require-hashes -r requirements-container.lock
COPY pyproject.toml setup.py README.md LICENSE ./
COPY schemas ./schemas
COPY pipelines ./pipelines
COPY assets ./assets
RUN /opt/trackly-sync/bin/python -m pip --disable-pip-version-check --no-cache-dir -qq install --no-deps --no-build-isolation .

FROM python:3.13.9-slim-bookworm
# no name that a person has; the data is this user's alone
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin trackly \
    && install -d -o 10001 -g 10001 -m 700 /data
COPY --from=build /opt/trackly-sync /opt/trackly-sync
# nothing is written outside /data and /tmp, so the root may be read-only
ENV PATH=/opt/trackly-sync/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TRACKLY_DATA_DIR=/data \
    TRACKLY_LOG_FORMAT=json
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 3000 8790
HEALTHCHECK --interval=30s --timeout=10s --start-period=90s --retries=3 \
    CMD ["python", "-P", "-c", "import socket; socket.create_connection(('127.0.0.1', 3000), 5).close()"]
ENTRYPOINT ["trackly-sync"]
CMD ["ui", "--host", "0.0.0.0"]
