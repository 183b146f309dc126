# The service with its Python packages, and nothing of what built them.

FROM python:3.13-slim AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/closedloop
COPY requirements.lock ./
RUN /opt/closedloop/bin/pip install --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY migrations migrations
RUN /opt/closedloop/bin/pip install --no-deps --no-build-isolation . \
    && /opt/closedloop/bin/pip uninstall --yes hatchling pathspec pluggy trove-classifiers pip

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data closedloop && install --directory --owner closedloop /data
COPY --from=build /opt/closedloop /opt/closedloop
ENV PATH=/opt/closedloop/bin:$PATH PYTHONUNBUFFERED=1 CLOSEDLOOP_DATABASE_URL=sqlite:////data/closedloop.db
WORKDIR /data
VOLUME /data
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["closedloop"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
