.PHONY: help
help: ## this list
	@grep -hE '^[a-z][a-zA-Z_-]*:.*##' $(MAKEFILE_LIST) | sort | \
	    awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'
