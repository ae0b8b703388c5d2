# The image of every role. `make image` lays out build/image first, so this build needs no network, no index and no secret.
# BASE_IMAGE: any Linux with glibc 2.28 or later and Python of the version below.
# BUILDPLATFORM and TARGETARCH come from BuildKit, or from scripts/image.sh where an older Docker builds.
ARG BASE_IMAGE=python:3.11-slim
ARG BUILDPLATFORM

FROM --platform=${BUILDPLATFORM} ${BASE_IMAGE} AS build
ARG PYTHON_VERSION=3.11
ARG TARGET=full
ARG TARGETARCH
RUN python3 -c "import sys; v = '%d.%d' % sys.version_info[:2]; v == '${PYTHON_VERSION}' or sys.exit(f'The base image brings Python {v}, and the packages are for ${PYTHON_VERSION}: take another with make image BASE_IMAGE=...')"
RUN python3 -m venv --without-pip /opt/anchorage && \
    printf '#!/opt/anchorage/bin/python\nfrom anchorage.faces.cli.main import main\nmain()\n' > /opt/anchorage/bin/anchorage && \
    chmod 0755 /opt/anchorage/bin/anchorage && rm -f /opt/anchorage/bin/[Aa]ctivate* && mkdir -p /volume/data && chown 10001:0 /volume/data && chmod 0770 /volume/data
COPY build/image/${TARGET}/${TARGETARCH} /layout
# Nothing changes a file of an image, so none is looked at to see whether its bytecode is up to date.
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash \
    -s /layout/packages -s /layout/app -p /opt/anchorage/lib/python${PYTHON_VERSION}/site-packages /layout/packages /layout/app

FROM ${BASE_IMAGE}
ARG PYTHON_VERSION=3.11
# Some bases bring pip, which has no work here.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/site-packages/setuptools* \
    /usr/local/lib/python3*/ensurepip /usr/lib/python3*/ensurepip
# Its parent is copied: a folder that is named itself would become root's.
COPY --from=build /volume /
COPY --from=build /opt/anchorage /opt/anchorage
# What changes seldom first: its layer is fetched once.
COPY --from=build /layout/packages /opt/anchorage/lib/python${PYTHON_VERSION}/site-packages
COPY --from=build /layout/share /opt/anchorage/share
COPY deploy/image/healthcheck.py /opt/anchorage/share/healthcheck.py
COPY docs /opt/anchorage/share/anchorage/docs
COPY --from=build /layout/app /opt/anchorage/lib/python${PYTHON_VERSION}/site-packages
ARG VERSION
ARG REVISION
ARG BASE_IMAGE
ENV PATH=/opt/anchorage/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/data \
    ANCHORAGE_DATA=/data \
    ANCHORAGE_EMBEDDING__PRECISION=int8 \
    APP_HOST=0.0.0.0
LABEL org.opencontainers.image.title="Anchorage" \
      org.opencontainers.image.description="Answers from your own documents, every sentence anchored to the passage it came from" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"
USER 10001:0
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["/opt/anchorage/bin/python", "-I", "-S", "/opt/anchorage/share/healthcheck.py"]
ENTRYPOINT ["anchorage"]
CMD ["serve"]
