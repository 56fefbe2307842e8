# SPDX-License-Identifier: GPL-2.0
# Programs of the race tests, included after ../lib.mk.  Each *.c is a program, but for those
# with an underscore in their names, which are linked into all programs.
#
# PROG.races has a stanza for each race that the program proves, PROG.tests one for each way
# to run it as a test that is no race.  run_races.sh runs what both say.  A program that has
# neither measures or shows something to somebody who calls it.

race_shared := $(patsubst %.c,$(OUTPUT)/%.o,$(wildcard *_*.c))
race_progs := $(patsubst %.c,$(OUTPUT)/%,$(filter-out $(wildcard *_*.c),$(wildcard *.c)))
race_headers := $(wildcard *.h)

TEST_PROGS += run_races.sh
TEST_FILES += $(wildcard *.races *.tests)
TEST_GEN_PROGS_EXTENDED += $(race_progs)
LOCAL_HDRS += $(race_headers)
EXTRA_CLEAN += $(race_shared)

$(race_progs) $(race_shared): CFLAGS += -Wall -Wextra -O2 -I.. $(KHDR_INCLUDES) \
	-isystem ../../../../usr/include
$(race_progs): LDLIBS += -lpthread
$(race_progs): $(race_shared) $(race_headers)

$(race_shared): $(OUTPUT)/%.o: %.c $(race_headers)
	$(CC) $(CFLAGS) $(CPPFLAGS) -c -o $@ $<

all: $(race_progs)
