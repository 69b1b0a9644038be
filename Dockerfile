# Two stages make things, the last one holds only what serves: generated/, its packages
# and config/.
#
#   docker build -t my-agents .
#   docker run -p 8000:8000 -v my-data:/data -e OPENAI_API_KEY -e BMAD_API_KEYS=me:a-long-secret my-agents
#
# Without BMAD_API_KEYS the service refuses to listen beyond loopback; BMAD_AUTH=off says
# in words that anyone may call it.

ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS compiler
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements.txt ./
RUN pip wheel --no-cache-dir --require-hashes --wheel-dir /wheels -r requirements.txt \
    && pip install --no-cache-dir --no-index --find-links /wheels -r requirements.txt
COPY scripts ./scripts
COPY bmad ./bmad
RUN python scripts/bmad2pf.py

FROM ${PYTHON} AS packages
# requirements.txt for the offline model alone, requirements-openai.txt for OpenAI and
# everything that speaks its API, requirements-redis.txt for memory in Redis,
# requirements-otel.txt for spans; several with spaces between them: --build-arg REQUIREMENTS="requirements-openai.txt requirements-redis.txt"
ARG REQUIREMENTS=requirements-openai.txt
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/venv
# Only the wheels whose hashes the lock vouches for.
COPY --from=compiler /wheels /wheels
COPY --from=compiler /build/generated ./generated
RUN set -- && for file in ${REQUIREMENTS}; do set -- "$@" -r "generated/${file}"; done \
    && /opt/venv/bin/pip install --no-cache-dir --no-index --find-links /wheels "$@" \
    && /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash generated

FROM ${PYTHON}
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    BMAD_DATA_DIR=/data
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin bmad \
    && install --directory --owner=bmad --group=bmad /data
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY config ./config
COPY --from=packages /build/generated ./generated
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health/live', timeout=4)"]
CMD ["python", "-m", "generated"]
