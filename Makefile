.PHONY: services stop
MAKEFLAGS += --no-print-directory

services:
	@deploy/dev/services

stop:
	@deploy/dev/stop
