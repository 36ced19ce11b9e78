/* pieces: see pieces.h. */
#include "logdrivers/remote/pieces.h"

#include "base/id.h"

void pieces_of(struct pieces *p, const struct log_line *line, struct remote_line *out)
{
    *out = (struct remote_line){.unix_ns = line->unix_ns,
                                .from_stderr = line->from_stderr,
                                .bytes = line->bytes,
                                .len = line->len};
    if (!p->open && !line->partial)
        return;
    if (!p->open) {
        id_new(p->id);
        p->ordinal = 0;
    }
    out->piece = true;
    out->last = !line->partial;
    out->ordinal = ++p->ordinal;
    out->piece_id = p->id;
    p->open = line->partial;
}
