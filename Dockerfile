# The image of every role. `make image` lays out build/image first, so this build needs no network, no index and no secret.
# BASE_IMAGE: any Linux with glibc 2.28 or later, Python of the version below and its venv module.
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS build
ARG PYTHON_VERSION=3.11
RUN python3 -c "import sys; v = '%d.%d' % sys.version_info[:2]; v == '${PYTHON_VERSION}' or sys.exit(f'The base image brings Python {v}, and the packages are for ${PYTHON_VERSION}: take another with make image BASE_IMAGE=...')"
RUN python3 -m venv --without-pip /opt/anchorage
COPY build/image/packages /opt/anchorage/lib/python${PYTHON_VERSION}/site-packages
COPY build/image/models /opt/anchorage/share/anchorage/models
COPY build/image/tessdata /opt/anchorage/share/tessdata
COPY docs /opt/anchorage/share/anchorage/docs
# olefile brings a copy of itself for Python 2, which nothing imports.
RUN /opt/anchorage/bin/python -m compileall -q -j 0 -x olefile2 /opt/anchorage/lib && \
    printf '#!/opt/anchorage/bin/python\nfrom anchorage.faces.cli.main import main\nmain()\n' > /opt/anchorage/bin/anchorage && \
    chmod 0755 /opt/anchorage/bin/anchorage && \
    mkdir -m 0770 /data && chown 10001:0 /data

FROM ${BASE_IMAGE}
COPY --from=build /opt/anchorage /opt/anchorage
COPY --from=build /data /data
ENV PATH=/opt/anchorage/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/data \
    ANCHORAGE_DATA=/data \
    ANCHORAGE_EMBEDDING__PRECISION=int8 \
    APP_HOST=0.0.0.0
LABEL org.opencontainers.image.title="Anchorage" \
      org.opencontainers.image.description="Answers from your own documents, every sentence anchored to the passage it came from" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 10001:0
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["anchorage"]
CMD ["serve"]
