# SPDX-License-Identifier: GPL-2.0
#
# Thin on purpose: what a target does is in vm/run and scripts/series.

# Help comes out of the lines below: `target: ## text` and `# VARIABLE=default text`.
# BASE=5.10           the base, a directory of patches/
# ARCH=x86_64         the architecture of the VM, a file of vm/arch/
# FLAVOUR=default     the kernels' configuration: default, debug, deposit, unsplit; make bench has its own
# RACE=               this race alone, and its rows of the table
# ITERATIONS=20       how often each race is run in each column (make test: 3)
# MINUTES=10          of make soak: how long
# SEED=               of make soak: of its random numbers; printed
# LEVEL=quick         of make test: quick or full
# ACCEL=              kvm or tcg; found out by itself
# KDIR=               of make apply: a kernel tree of your own
# MERGE=0             of make apply KDIR=: 1 merges what does not fit, and prepares what conflicts
# KERNEL_TARBALL=     kernel source to use in place of the pinned one (tarball, .deb)
# POINTS=1            of make export and make apply KDIR=: 0 leaves race points and bypasses out
# SIGNOFF=0           of make export: 1 adds your Signed-off-by
# HOLDFAST_MIRROR=    of make fetch: the Debian security archive to fetch from
# HOLDFAST_NEWEST=0   of make fetch: 1 takes a newer 5.10 when the pinned one is gone
BASE ?= 5.10
ARCH ?= x86_64
export BASE ARCH FLAVOUR RACE ITERATIONS MINUTES SEED LEVEL ACCEL KERNEL_TARBALL POINTS SIGNOFF
export HOLDFAST_MIRROR HOLDFAST_NEWEST

# Kernel builds start with a job server of their own: this make must not lend them its.
MAKEFLAGS += --no-print-directory
unexport MAKEFLAGS MFLAGS MAKELEVEL

.DEFAULT_GOAL := help
.PHONY: help run list test kunit bench soak apply refresh export status fetch menuconfig shell clean deps

help: ## this
	@echo 'make TARGET [VARIABLE=value...]'
	@sed -n 's/^\([a-z]*\):.*## /  \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16
	@sed -n 's/^# \([A-Z_]*=[^ ]*\)  */  \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24

run: ## every race in its three columns, and the table of verdicts
	@vm/ready races && vm/deps && vm/run races

list: ## the races: system, guards, needs and points of each
	@vm/ready list && vm/deps source && vm/run list

test: ## all tests; the last line counts them
	@vm/ready test && vm/deps && vm/run test

kunit: ## the KUnit suites of the series, in a VM
	@vm/ready kunit && vm/deps && vm/run kunit

bench: ## what fills, faults and write protection cost in instructions, base and series
	@vm/ready bench && vm/deps && vm/run bench

soak: ## userfaultfd events under random load for MINUTES, in both modes
	@vm/ready soak && vm/deps && vm/run soak

apply: ## the series on build/, or on your own tree with KDIR=
ifdef KDIR
	@vm/ready apply-to && vm/deps source && scripts/series apply-to "$(KDIR)"
else
	@vm/ready series && vm/deps source && vm/run series apply
endif

refresh: ## edits committed in build/<base>/linux flow back into the repository
	@vm/ready series && vm/deps source && vm/run series refresh

export: ## a series for git am, with cover letter, in build/<base>/mail
	@vm/ready series && vm/deps source && vm/run series export

status: ## what differs between the repository and build/<base>/linux
	@vm/ready series && vm/deps source && vm/run series status

fetch: ## the source tarball into the cache
	@vm/ready fetch && vm/deps source && vm/run fetch

menuconfig: ## options of the series kernel, for a try
	@vm/ready menuconfig && vm/deps menuconfig && vm/run menuconfig

shell: ## a shell in the VM, on the series kernel
	@vm/ready shell && vm/deps shell && vm/run shell

clean: ## remove build/; downloads and the compiler cache stay
	@vm/run clean

deps: ## the tools that all this needs
	@vm/deps
