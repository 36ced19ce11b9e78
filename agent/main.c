/*
 * ballastd: the agent.
 *
 * The main thread only waits for signals: TERM and INT end it (containers keep running), HUP reads
 * the sources again, USR1 says what memory is in use.  Every other thread has all signals blocked.
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/memory.h"
#include "agent/systemd.h"
#include "base/log.h"
#include "base/time.h"
#include "base/version.h"

#define TRIM_EVERY_S 5

static void setup_logging(const struct config *c)
{
    static const struct {
        const char *name;
        enum log_level level;
    } rows[] = {
        {"error", LOG_ERROR},
        {"warn",  LOG_WARN },
        {"info",  LOG_INFO },
        {"debug", LOG_DEBUG}
    };
    enum log_level level = LOG_INFO;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(c->log_level, rows[i].name) == 0)
            level = rows[i].level;
    log_setup(c->debug ? LOG_DEBUG : level,
              strcmp(c->log_format, "json") == 0 ? LOG_JSON : LOG_TEXT);
}

static void say_notices(const struct config *c)
{
    for (size_t i = 0; i < c->notices.n; i++)
        log_warn("setting not applied, ignoring", "what=%s", log_quote(c->notices.v[i]));
}

/* Until a signal says so; returns with the agent still open. */
static void serve(struct agent *a, const sigset_t *signals)
{
    const struct timespec every = {.tv_sec = TRIM_EVERY_S};

    for (;;) {
        int sig = sigtimedwait(signals, NULL, &every);

        switch (sig) {
        case SIGTERM:
        case SIGINT:
            log_info("stopping, containers keep running", "signal=%d", sig);
            return;
        case SIGHUP:
            log_info("sources are read again", NULL);
            agent_rescan(a);
            break;
        case SIGUSR1:
            malloc_stats();
            break;
        default:
            memory_trim();
            break;
        }
    }
}

static int run(const struct config *c, const sigset_t *signals, struct err *e)
{
    struct agent *a = NULL;
    int64_t began = time_mono_ms();

    if (agent_open(c, &a, e))
        return -1;
    log_info("ready", "version=%s in_ms=%lld", BALLAST_VERSION,
             (long long)(time_mono_ms() - began));
    systemd_notify("READY=1");
    memory_after_start();
    serve(a, signals);
    systemd_notify("STOPPING=1");
    agent_close(a);
    return 0;
}

int main(int argc, char **argv)
{
    struct config c;
    struct err e = ERR_INIT;
    sigset_t signals;
    int r = 0;

    mallopt(M_ARENA_MAX, 2); /* a heap per thread would cost more than the lock */
    config_init(&c, argv[0]);
    if (config_load(&c, argc, argv, &e)) {
        fprintf(stderr, "ballastd: %s\n", e.msg);
        config_release(&c);
        return 1;
    }
    setup_logging(&c);
    if (c.show_help) {
        config_usage();
    } else if (c.show_version) {
        printf("Ballast version %s, build %s\n", BALLAST_VERSION, ballast_git_commit());
    } else if (c.validate) {
        say_notices(&c);
        puts("configuration OK");
    } else {
        signal(SIGPIPE, SIG_IGN);
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGHUP);
        sigaddset(&signals, SIGUSR1);
        pthread_sigmask(SIG_BLOCK, &signals, NULL);
        say_notices(&c);
        r = c.erase ? agent_erase(&c, &e) : run(&c, &signals, &e);
        if (r)
            log_error("the agent cannot run", "error=%s", log_quote(e.msg));
    }
    config_release(&c);
    return r ? 1 : 0;
}
