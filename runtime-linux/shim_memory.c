/* shim_memory: see shim_memory.h. */
#include "runtime-linux/shim_memory.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* One arena that grows in large steps: shim_memory_trim() takes back what is not needed. */
void shim_memory_init(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
    mallopt(M_TOP_PAD, 256 * 1024);
}

/*
 * Unmaps the program's read-only pages.  They are the page cache's: the few that the loop needs
 * come back with a minor fault each.  Writable segments are left alone, relocated ones included.
 */
static int drop_program_pages(struct dl_phdr_info *info, size_t size, void *arg)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    (void)size;
    (void)arg;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t from = (info->dlpi_addr + p->p_vaddr + page - 1) & ~(page - 1);
        uintptr_t to = (info->dlpi_addr + p->p_vaddr + p->p_memsz) & ~(page - 1);

        if (p->p_type == PT_LOAD && !(p->p_flags & PF_W) && from < to)
            (void)madvise((void *)from, to - from, MADV_DONTNEED); /* a hint */
    }
    return 0;
}

void shim_memory_trim(void)
{
    malloc_trim(0);
    dl_iterate_phdr(drop_program_pages, NULL);
}
