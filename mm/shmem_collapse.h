/* SPDX-License-Identifier: GPL-2.0 */
/* The end of a collapse of a file: mm/shmem_collapse.c */
#ifndef _MM_SHMEM_COLLAPSE_H
#define _MM_SHMEM_COLLAPSE_H

#include <linux/types.h>

struct address_space;
struct list_head;
struct page;
struct xa_state;

void collapse_copy_pages(struct page *hpage, struct list_head *pages);
bool shmem_collapse_fill_holes(struct address_space *mapping,
			       struct page *hpage, unsigned int nr_holes);
void shmem_collapse_free_nodes(struct xa_state *xas, struct page *hpage);

#endif /* _MM_SHMEM_COLLAPSE_H */
