# SPDX-License-Identifier: GPL-2.0
# Programs of the race tests: those that races/ names, and the tests of the tools
# that they use.  Included after ../lib.mk; run_races.sh runs all races once.  uffd-soak
# is not among them: it runs as long as one lets it.

race_names := $(shell sed -n 's/^test: *\([^ ]*\).*/\1/p' races/*.races | sort -u)
race_progs := $(addprefix $(OUTPUT)/,$(race_names) race-points fail-nth \
	uffd-events uffd-fill-bench pgtable-bench pgtable-collapse \
	pgtable-oom-munlock)
race_shared := $(addprefix $(OUTPUT)/,race_test.o uffd_oracle.o pgtable_test.o)
race_headers := race_test.h uffd_oracle.h pgtable_test.h
soak_progs := $(OUTPUT)/uffd-soak
soak_shared := $(OUTPUT)/uffd_monitor.o
soak_headers := uffd_monitor.h

TEST_PROGS += run_races.sh
TEST_FILES += races
TEST_GEN_PROGS_EXTENDED += $(race_progs) $(soak_progs)
LOCAL_HDRS += $(race_headers) $(soak_headers)
EXTRA_CLEAN += $(race_shared) $(soak_shared)

$(race_progs) $(soak_progs) $(race_shared) $(soak_shared): CFLAGS += -Wall -Wextra -O2 -I.. $(KHDR_INCLUDES) \
	-isystem ../../../../usr/include
$(race_progs) $(soak_progs): LDLIBS += -lpthread
$(race_progs): $(race_shared) $(race_headers)
$(soak_progs): $(soak_shared) $(soak_headers)

# What they share is compiled once.
$(race_shared) $(soak_shared): $(OUTPUT)/%.o: %.c $(race_headers) $(soak_headers)
	$(CC) $(CFLAGS) $(CPPFLAGS) -c -o $@ $<

all: $(race_progs) $(soak_progs)
