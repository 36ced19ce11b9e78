/*
 * ballast-log: delivers the log of one container to a server elsewhere.
 *
 *     ballast-log deliver [--again]     lines on descriptor 3 (log_frame.h), configuration on 4
 *     ballast-log compress FILE         the old files of a log (compress.c)
 *
 * Started by a shim, so that libraries for TLS, HTTP and compression, and peers that hang, are
 * none of the shim's business.  It ends when the shim's end of the socket is closed.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "logdrivers/log_file.h"
#include "logdrivers/log_frame.h"
#include "logdrivers/remote/remote.h"

/* Not the shim's value: without it a container runs on, and it is started again. */
static void be_as_others_for_oom_killer(void)
{
    cleanup_fd int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd >= 0)
        (void)!write(fd, "0", 1);
}

static int deliver_main(int argc, char **argv)
{
    cleanup_remote_config struct remote_config cfg = {0};
    struct err e = ERR_INIT;

    /* It ends when its container's shim does, and not with a terminal or a session. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    prctl(PR_SET_NAME, "ballast-log");
    be_as_others_for_oom_killer();
    if (remote_config_read(LOG_CONFIG_FD, &cfg, &e)) {
        log_error("log driver does not start", "reason=%s", log_quote(e.msg));
        return 1;
    }
    for (size_t i = 0; i < cfg.env.n; i++) /* what libraries look for, proxies for one */
        (void)setenv(cfg.env.v[i].k, cfg.env.v[i].v, 1);
    cfg.again = argc > 2 && str_eq(argv[2], "--again");
    if (deliver_run(LOG_FRAME_FDS, &cfg, &e) == 0)
        return 0;
    log_error("log driver does not start", "driver=%s reason=%s", cfg.driver, log_quote(e.msg));
    return 1;
}

static int compress_main(int argc, char **argv)
{
    struct err e = ERR_INIT;

    if (argc != 3) {
        (void)!fprintf(stderr, "ballast-log: compress FILE\n");
        return 2;
    }
    prctl(PR_SET_NAME, "ballast-log");
    be_as_others_for_oom_killer();
    if (log_compress(argv[2], &e) == 0)
        return 0;
    log_error("old logs stay as they are", "reason=%s", log_quote(e.msg));
    return 1;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"deliver",  deliver_main },
    {"compress", compress_main},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++)
        if (str_eq(argv[1], commands[i].name))
            return commands[i].run(argc, argv);
    (void)!fprintf(stderr, "ballast-log: started by ballast-shim; see its source\n");
    return 2;
}
