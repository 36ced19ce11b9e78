/*
 * fake_engine: reconciler/engine.h over a few arrays, for tests of api/.
 *
 * Objects are put in by the test.  Calls that change something are written down in `calls`; the
 * next one fails when `fail` is set.  Waiting calls wait until the test says so, or the cancel
 * fires.
 */
#pragma once

#include "base/notify.h"
#include "base/sync.h"
#include "reconciler/engine.h"

#define FAKE_MAX 2048

struct fake_log_line {
    const char *text;
    bool from_stderr;
    int64_t unix_ns;
};

struct engine {
    struct mutex lock;
    struct engine_config cfg;
    struct container *containers[FAKE_MAX];
    size_t n_containers;
    struct network *networks[16];
    size_t n_networks;
    struct volume *volumes[16];
    size_t n_volumes;
    struct image *images[16];
    size_t n_images;

    char calls[4096];         /* "start q1 by ...;" */
    struct err fail;          /* kind ERR_OK: none */
    struct stream *attach_io; /* given to the next attach or exec */
    struct exec_info exec;    /* the only one, id "e1" */
    struct log_line lines[16];
    size_t n_lines;
    struct notify *bell; /* rung by fake_exit() and fake_event() */
    bool exited;
    int exit_code;
    struct event events[64];
    size_t n_events;
    int subscribers;
    int waiting; /* threads inside a blocking call */
    bool pull_blocks, pull_fails_late;
    char loaded[256]; /* what images_load was given */
};

struct engine *fake_engine_new(void);
void fake_engine_free(struct engine *g);
/* Takes what it is given. */
struct container *fake_container(struct engine *g, const char *id, const char *name,
                                 enum container_status status);
struct image *fake_image(struct engine *g, const char *id, const char *tag);
struct volume *fake_volume(struct engine *g, const char *name);
struct network *fake_network(struct engine *g, const char *id, const char *name);
void fake_fail(struct engine *g, enum err_kind kind, const char *text);
void fake_exit(struct engine *g, int code);
void fake_event(struct engine *g, const char *type, const char *action, const char *id,
                const char *name);
bool fake_called(struct engine *g, const char *part);
/* Writes the call down and fails if it shall. */
int fake_call(struct engine *g, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);
int fake_waiting(struct engine *g);
int fake_subscribers(struct engine *g);
size_t fake_events(struct engine *g);
