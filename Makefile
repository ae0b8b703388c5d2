# Every target does all the setting up that it needs. `make` alone lists them.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
TAG ?= anchorage:dev
BASE_IMAGE ?= python:3.11-slim
EXTRAS ?=
TARGET ?= full
POSTGRES_TAG ?= anchorage-postgres:18
OCR_LANGUAGES ?= eng

.DEFAULT_GOAL := help
.PHONY: help setup up test test-all docs types lint format bench bench-answers e2e image image-postgres image-test manifests lock clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*## ' Makefile | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 16

setup: $(VENV)/.ready ## make .venv ready: dependencies, the package, the local model, the web page
	@sh scripts/web.sh

$(VENV)/.ready: requirements/dev.lock pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh $(VENV)
	@touch $@

up: setup ## run everything: make up ARGS="--port 8000 --data DIR"
	@exec $(BIN)/anchorage up $(ARGS)

test: setup ## run the tests, but for the slowest: make test ARGS="-k chunk"
	sh scripts/web.sh run test
	@sh scripts/test.sh $(BIN)/python $(or $(ARGS),--quick)

test-all: setup ## run all tests
	sh scripts/web.sh run test
	@sh scripts/test.sh $(BIN)/python

docs: ## build the documentation into build/docs, and check its links
	@sh scripts/docs.sh

e2e: setup ## run the end-to-end tests on the cluster that KUBECONFIG names, or on a kind cluster: CONTRIBUTING.md tells more
	@sh scripts/e2e.sh $(BIN)/python $(ARGS)

lint: setup ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	sh scripts/web.sh run lint

types: setup ## make the web page's types anew, from the API's description
	$(BIN)/python -m anchorage.faces.http.openapi > web/openapi.json
	sh scripts/web.sh run types

format: setup ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	sh scripts/web.sh run format

bench: setup ## run the benchmarks on small made-up data; bench/README.md tells how to run them on yours
	$(BIN)/python -m bench.all $(ARGS)

bench-answers: ## judge answers of a running server by a set of questions: make bench-answers QUESTIONS=DIR URL=http://127.0.0.1:8000 ARGS=--table
	@test -f "$(QUESTIONS)/score.py" || { echo "QUESTIONS must name a folder with questions and their score.py: make bench-answers QUESTIONS=DIR URL=http://127.0.0.1:8000"; exit 1; }
	@python3 "$(QUESTIONS)/score.py" --url "$(or $(URL),http://127.0.0.1:8000)" $(ARGS)

image: setup ## build the container image: make image TAG=anchorage:dev BASE_IMAGE=python:3.11-slim TARGET=full|slim EXTRAS=ocr PLATFORMS=linux/amd64,linux/arm64
	@EXTRAS="$(EXTRAS)" OCR_LANGUAGES="$(OCR_LANGUAGES)" PLATFORMS="$(PLATFORMS)" PUSH="$(PUSH)" sh scripts/image.sh $(VENV) $(TAG) $(BASE_IMAGE) $(TARGET)

image-postgres: setup ## build an image of Postgres with pgvector, for where no registry is reached
	@sh scripts/image.sh $(VENV) $(POSTGRES_TAG) $(BASE_IMAGE) postgres

image-test: setup ## build the images and try them on a real engine
	$(BIN)/python -m pytest tests/image --base-image $(BASE_IMAGE) $(ARGS)

manifests: setup ## make the chart's README and schema, and the manifests of deploy/, anew from its values
	@$(BIN)/python deploy/scripts/chart_docs.py
	@$(BIN)/python deploy/scripts/manifests.py

LOCK = "$$uv" pip compile -q pyproject.toml --override requirements/overrides.txt --generate-hashes --universal \
  --python-version 3.11 --custom-compile-command "make lock"

# What the image is spared, since nothing in it imports them: the graph is built already, models are never fetched, nothing reads web archives.
SPARED = onnx ml-dtypes huggingface-hub hf-xet fsspec filelock tqdm zstandard fastwarc brotli
# All but llamaindex, which brings 50 packages of its own.
EXTRAS = embedded local langchain s3 mcp ocr redis
SLIM = --extra langchain --extra mcp --extra s3 --extra redis --constraint requirements/dev.lock $(patsubst %,--no-emit-package %,$(SPARED))

lock: setup ## pin the dependencies anew, from pyproject.toml
	@uv=$$(sh scripts/uv.sh) && $(LOCK) $(patsubst %,--extra %,$(EXTRAS)) --group dev -o requirements/dev.lock && \
	  $(LOCK) $(SLIM) --extra local -o requirements/image.lock && $(LOCK) $(SLIM) -o requirements/slim.lock && \
	  for tool in node docs; do \
	    "$$uv" pip compile -q requirements/$$tool.in --generate-hashes --universal --python-version 3.11 --custom-compile-command "make lock" \
	      -o requirements/$$tool.lock || exit 1; \
	  done
	@! grep -n '://' requirements/*.lock

clean: ## remove what was built; data directories stay
	rm -rf $(VENV) .setup build dist web/node_modules src/anchorage/static .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
