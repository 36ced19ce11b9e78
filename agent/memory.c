/*
 * memory: see memory.h.
 *
 * Binding some forty libraries reads all their symbol tables and relocations, which nobody looks at
 * again, and they would count as ours for good.  Only segments that cannot be written are let go:
 * their pages are the files' own, and come back from the page cache when they are touched.  (What
 * is made read-only after relocation belongs to a writable segment.)
 */
#include "agent/memory.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static int let_go(struct dl_phdr_info *object, size_t size, void *arg)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    (void)size;
    (void)arg;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &object->dlpi_phdr[i];
        uintptr_t from = object->dlpi_addr + p->p_vaddr, to = from + p->p_memsz;

        if (p->p_type != PT_LOAD || (p->p_flags & PF_W))
            continue;
        from = (from + page - 1) & ~(page - 1);
        to &= ~(page - 1);
        if (from < to)
            (void)madvise((void *)from, to - from, MADV_DONTNEED); /* or they stay */
    }
    return 0;
}

void memory_after_start(void)
{
    dl_iterate_phdr(let_go, NULL);
}

void memory_trim(void)
{
    malloc_trim(0);
}
