# tensorlint without torch and without git, as a user without rights; the checkpoints are mounted at /models:
#   docker build --tag tensorlint .
#   docker run --rm --volume "$PWD:/models:ro" tensorlint check my-model
# Checked with hadolint, and its commands were tried one by one; no Docker has built it yet.
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY linter linter
COPY rules rules
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && python -m venv --without-pip /opt/tensorlint \
    && pip --python /opt/tensorlint/bin/python install --no-cache-dir /wheels/*.whl

FROM python:3.13-slim
LABEL org.opencontainers.image.source="https://github.com/tensorlint/tensorlint" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/tensorlint /opt/tensorlint
RUN useradd --uid 1000 --create-home tensorlint
USER 1000
ENV PATH=/opt/tensorlint/bin:$PATH
WORKDIR /models
ENTRYPOINT ["tensorlint"]
CMD ["--help"]
