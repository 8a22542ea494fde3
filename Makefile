# Every target works in a fresh clone: it makes .venv and installs what it needs.
PYTHON ?= python3
VENV_PYTHON = .venv/bin/python
# Two at once: half of the time a test waits for a database or a browser. Who is done takes from the other: the browser
# journeys lie together, and one process would work through them alone.
PYTEST_ARGS ?=
PYTEST_WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo demo-check demo-reset test check bench schema install

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16

demo: ## Start the portal with the demo's data, until Ctrl-C (PORT=8080 chooses the port)
	@$(PYTHON) tools/install.py demo
	@exec $(VENV_PYTHON) -m govportal.supervisor demo

demo-check: ## Start the demo, fetch its pages as each role, stop; prints JSON lines
	@$(PYTHON) tools/install.py demo
	@exec $(VENV_PYTHON) -m govportal.supervisor demo-check

demo-reset: ## Forget the demo's data
	@$(VENV_PYTHON) -m govportal.embedded reset demo

test: ## Run the tests, in a browser too (PYTEST_ARGS="-k seats" chooses some)
	@$(PYTHON) tools/install.py development
	@CHROMIUM="$$($(PYTHON) tools/browser.py)" && export CHROMIUM && exec $(VENV_PYTHON) -m pytest -n $(PYTEST_WORKERS) --dist worksteal $(PYTEST_ARGS)

check: ## Lint, types, import contract, settings, migrations, API schema, locks
	@$(PYTHON) tools/install.py development
	@exec $(VENV_PYTHON) -m tools.check

schema: ## Write docs/openapi.yaml anew
	@$(VENV_PYTHON) manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

bench: ## Measure at 25 and 100,000 systems
	@$(PYTHON) tools/install.py development
	@exec $(VENV_PYTHON) -m benchmarks

install: ## Only install what the other targets need
	@$(PYTHON) tools/install.py development
