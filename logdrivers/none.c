/* none: keeps nothing.  `docker logs` answers that the driver does not support reading. */
#include "logdrivers/logdrivers.h"

static int none_check(const struct kvs *opts, struct err *e)
{
    return log_opts_check(opts, "none", NULL, 0, e);
}

static int none_open(const char *path, const struct kvs *opts, struct log_writer **out,
                     struct err *e)
{
    (void)path;
    (void)opts;
    (void)e;
    *out = NULL;
    return 0;
}

static int none_write(struct log_writer *w, const struct log_line *line, struct err *e)
{
    (void)w;
    (void)line;
    (void)e;
    return 0;
}

static int none_flush(struct log_writer *w, struct err *e)
{
    (void)w;
    (void)e;
    return 0;
}

static void none_close(struct log_writer *w)
{
    (void)w;
}

static int none_read(const char *path, const struct log_read_opts *opts, struct cancel *c,
                     log_each_fn *each, void *arg, struct err *e)
{
    (void)path;
    (void)opts;
    (void)c;
    (void)each;
    (void)arg;
    return err_set(e, ERR_UNSUPPORTED, "configured logging driver does not support reading");
}

const struct log_driver_ops log_driver_none = {
    .name = "none",
    .readable = false,
    .check = none_check,
    .open = none_open,
    .write = none_write,
    .flush = none_flush,
    .close = none_close,
    .read = none_read,
};
