# make demo   set up what the demo needs, run it, show the table and the report, ask what it trained a question
# make serve  leave that service up
# make test   set up everything, lint, types, tests
PYTHON ?= python3
PLATFORM ?= cpu
VENV ?= .venv
RUN = $(VENV)/bin/python
QUESTION = "Subject: Fractions. Construct: Add and subtract fractions. Question: Calculate 1/2 + 1/3. Correct answer: 5/6. Wrong answer: 2/5"
JOBS_ENV = HYDRA_FULL_ERROR=0 TOKENIZERS_PARALLELISM=true HF_HUB_DISABLE_TELEMETRY=1

# one person on this machine: no keys, one process, no proxy
ALONE := keys.mode=open layout=whole proxy=false

.PHONY: help setup setup-all demo serve test lint types pytest peers lock clean
help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | column -t -s "$$(printf '\t')"

setup: ## install what jobs need (PLATFORM=cpu or gpu)
	@$(PYTHON) locks/install.py $(VENV) $(PLATFORM) core

setup-all: ## install everything: jobs, vLLM, test oracles
	@$(PYTHON) locks/install.py $(VENV) $(PLATFORM) core rollout dev

demo: setup ## a real run on bundled data, to a table and a report
	@$(JOBS_ENV) $(RUN) -m jobs.pipeline experiment=demo
	@$(JOBS_ENV) $(RUN) -m jobs.serve collection=demo $(ALONE) log=warning ask=$(QUESTION)

serve: setup ## what the demo trained, over HTTP on this machine, until Ctrl-C
	@$(JOBS_ENV) $(RUN) -m jobs.serve collection=demo $(ALONE)

test: setup-all lint types pytest ## what CI runs

lint: ## ruff: rules and format
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check --quiet . || (echo "run: $(VENV)/bin/ruff format ." && false)

types: ## mypy, strict on the library
	@$(VENV)/bin/mypy

pytest: ## the tests, with their ten slowest; properties on the same examples every time
	@$(JOBS_ENV) $(RUN) -m pytest --hypothesis-profile=ci

lock: ## resolve pyproject.toml anew into locks/
	@$(RUN) locks/resolve.py $(PLATFORM)

clean: ## remove the environment and the outputs
	rm -rf $(VENV) outputs
