/* stats: see stats.h. */
#include "core/stats.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/time.h"

struct container_stats *container_stats_new(void)
{
    struct container_stats *s = xcalloc(1, sizeof(*s));

    s->refs = 1;
    s->read_ns = TIME_ZERO;
    return s;
}

struct container_stats *container_stats_ref(const struct container_stats *s)
{
    struct container_stats *mine = (struct container_stats *)s;

    if (mine)
        atomic_fetch_add(&mine->refs, 1);
    return mine;
}

void container_stats_unref(const struct container_stats *s)
{
    struct container_stats *mine = (struct container_stats *)s;

    if (!mine || atomic_fetch_sub(&mine->refs, 1) != 1)
        return;
    for (size_t i = 0; i < BLKIO_KINDS; i++)
        free(mine->blkio[i].v);
    free(mine->percpu_ns);
    free(mine->memory);
    free(mine->interfaces);
    free(mine);
}
