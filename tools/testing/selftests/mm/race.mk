# SPDX-License-Identifier: GPL-2.0
# Programs of the race tests: those that races/ names, and the tests of the tools
# that they use.  Included after ../lib.mk; run_races.sh runs all races once.  uffd-soak
# is not among them: it runs as long as one lets it.

race_names := $(shell sed -n 's/^test: *\([^ ]*\).*/\1/p' races/*.races | sort -u)
race_progs := $(addprefix $(OUTPUT)/,$(race_names) race-points fail-nth \
	uffd-events uffd-fill-bench pgtable-bench pgtable-collapse \
	pgtable-oom-munlock)
race_shared := race_test.c uffd_oracle.c pgtable_test.c
race_headers := race_test.h uffd_oracle.h pgtable_test.h
soak_progs := $(OUTPUT)/uffd-soak
soak_shared := uffd_monitor.c
soak_headers := uffd_monitor.h

TEST_PROGS += run_races.sh
TEST_FILES += races
TEST_GEN_PROGS_EXTENDED += $(race_progs) $(soak_progs)
LOCAL_HDRS += $(race_headers) $(soak_headers)

$(race_progs) $(soak_progs): CFLAGS += -Wall -Wextra -O2 -I.. $(KHDR_INCLUDES) \
	-isystem ../../../../usr/include
$(race_progs) $(soak_progs): LDLIBS += -lpthread
$(race_progs): $(race_shared) $(race_headers)
$(soak_progs): $(soak_shared) $(soak_headers)

all: $(race_progs) $(soak_progs)
