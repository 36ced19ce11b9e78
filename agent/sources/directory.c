/* directory: see directory.h for what counts as an app. */
#include "agent/sources/directory.h"

#include <string.h>

#include "base/cancel.h"
#include "base/dirwatch.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/sync.h"
#include "compose/compose.h"
#include "reconciler/engine.h"

#define RESCAN_MS   60000
#define DEBOUNCE_MS 150

struct directory_source {
    char *name, *path, *id; /* id: "directory:<name>" */
    bool allow_empty;
    struct engine *g;
    struct cancel *stop;
    struct mutex lock; /* one scan at a time */
    struct dirwatch *watch;
    struct map
        apps_of; /* project path or file -> app name it gave last, to say whose file is broken */
    struct thread thread;
};

/* What one scan saw. */
struct scan {
    struct strv seen;    /* app names */
    struct strv origins; /* where each came from */
    bool incomplete;     /* something could not be read: nothing may be removed */
};

static void scan_release(struct scan *sc)
{
    strv_release(&sc->seen);
    strv_release(&sc->origins);
}

/* ------------------------------------------------------------ one project */

/* "shop.yaml" -> "shop", a directory -> its name */
static char *guess_name(const char *origin)
{
    const char *base = path_base(origin);
    const char *dot = strrchr(base, '.');
    char *name = str_ndup(base, dot && dot != base ? (size_t)(dot - base) : strlen(base));

    return name;
}

static void report(struct directory_source *s, struct scan *sc, const char *origin,
                   const char *text)
{
    const char *known = map_get(&s->apps_of, origin);
    cleanup_free char *name = known ? xstrdup(known) : guess_name(origin);
    struct err e = ERR_INIT;

    strv_add(&sc->seen, name);
    strv_add(&sc->origins, origin);
    if (apps_put_error(s->g, name, s->id, text, &e))
        log_error("source problem", "source=%s path=%s error=%s", s->name, origin,
                  log_quote(e.msg));
}

static void offer(struct directory_source *s, struct scan *sc, const char *origin, struct app *app)
{
    struct err e = ERR_INIT;

    for (size_t i = 0; i < sc->seen.n; i++)
        if (strcmp(sc->seen.v[i], app->name) == 0) {
            log_error("two projects have one name, the second is left out",
                      "name=%s first=%s second=%s", app->name, sc->origins.v[i], origin);
            app_free(app);
            return;
        }
    map_put(&s->apps_of, origin, xstrdup(app->name));
    strv_add(&sc->seen, app->name);
    strv_add(&sc->origins, origin);
    if (apps_put(s->g, app, &e))
        log_error("app not taken over", "source=%s path=%s error=%s", s->name, origin,
                  log_quote(e.msg));
}

/* file NULL: the project's own compose file, found by compose_load(). */
static void load_project(struct directory_source *s, struct scan *sc, const char *dir,
                         const char *file)
{
    struct strv files = {0}, profiles = {0};
    struct kvs env = {0};
    cleanup_free char *name = file ? guess_name(file) : NULL;
    struct compose_opts o = {
        .project_dir = dir, .files = &files, .env = &env, .profiles = &profiles};
    const char *origin = file ? file : dir;
    struct app *app = NULL;
    struct err e = ERR_INIT;

    if (file)
        strv_add(&files, file);
    o.source = s->id;
    o.default_name = name;
    if (compose_load(&o, &app, &e))
        report(s, sc, origin, e.msg);
    else
        offer(s, sc, origin, app);
    strv_release(&files);
}

/* ------------------------------------------------------------ one scan */

static bool is_yaml(const char *name)
{
    return name[0] != '.' && (str_ends(name, ".yaml") || str_ends(name, ".yml"));
}

static void watch_dir(struct directory_source *s, struct scan *sc, const char *dir)
{
    struct err e = ERR_INIT;

    if (dirwatch_add(s->watch, dir, &e) && e.kind != ERR_NOT_FOUND) {
        log_warn("directory not watched, only rescanned", "path=%s error=%s", dir,
                 log_quote(e.msg));
        sc->incomplete = true;
    }
}

static void scan_entry(struct directory_source *s, struct scan *sc, const char *name,
                       bool files_are_apps)
{
    cleanup_free char *path = path_join(s->path, name);
    cleanup_free char *compose = NULL;

    if (name[0] == '.')
        return;
    if (!fs_is_dir(path)) {
        if (files_are_apps && is_yaml(name))
            load_project(s, sc, s->path, path);
        return;
    }
    watch_dir(s, sc, path);
    compose = compose_find_file(path);
    if (compose) {
        load_project(s, sc, path, NULL);
    } else if (map_get(&s->apps_of, path)) {
        struct strv probe = {0};
        struct err e = ERR_INIT;

        /* It had an app: gone for good only when the directory itself can be read. */
        if (fs_list(path, &probe, &e))
            report(s, sc, path, e.msg);
        strv_release(&probe);
    }
}

static int scan_all(struct directory_source *s, struct scan *sc, struct err *e)
{
    cleanup_strv struct strv names = {0};
    cleanup_free char *own = NULL;

    if (fs_list(s->path, &names, e))
        return -1;
    watch_dir(s, sc, s->path);
    own = compose_find_file(s->path);
    if (own)
        load_project(s, sc, s->path, NULL);
    for (size_t i = 0; i < names.n; i++)
        scan_entry(s, sc, names.v[i], own == NULL);
    return 0;
}

/* Apps of this source that no file asks for any more. */
static void remove_missing(struct directory_source *s, const struct scan *sc)
{
    struct strv names = {0};
    struct err e = ERR_INIT;

    apps_of_source(s->g, s->id, &names);
    if (names.n && sc->seen.n == 0 && !s->allow_empty) {
        log_warn("source is empty: its apps stay as they are; set allow_empty to have them removed",
                 "source=%s path=%s apps=%zu", s->name, s->path, names.n);
    } else if (!sc->incomplete) {
        for (size_t i = 0; i < names.n; i++)
            if (!strv_has(&sc->seen, names.v[i]) && apps_remove(s->g, names.v[i], s->id, &e))
                log_error("app not removed", "app=%s error=%s", names.v[i], log_quote(e.msg));
    }
    strv_release(&names);
}

void directory_source_rescan(struct directory_source *s)
{
    struct scan sc = {0};
    struct err e = ERR_INIT;

    mutex_lock(&s->lock);
    if (scan_all(s, &sc, &e))
        log_error("source not readable, its apps stay as they are", "source=%s error=%s", s->name,
                  log_quote(e.msg));
    else
        remove_missing(s, &sc);
    mutex_unlock(&s->lock);
    scan_release(&sc);
}

/* ------------------------------------------------------------ the thread */

static void run(void *arg)
{
    struct directory_source *s = arg;
    struct err e = ERR_INIT;

    for (;;) {
        int r = dirwatch_wait(s->watch, RESCAN_MS, s->stop, &e);

        while (r == 1) /* wait until it is quiet: an editor writes in several steps */
            r = dirwatch_wait(s->watch, DEBOUNCE_MS, s->stop, &e);
        if (r < 0)
            return;
        directory_source_rescan(s);
    }
}

int directory_source_start(const struct directory_opts *o, struct engine *g,
                           struct directory_source **out, struct err *e)
{
    struct directory_source *s = xcalloc(1, sizeof(*s));

    s->name = xstrdup(o->name);
    s->path = xstrdup(o->path);
    s->id = str_printf("directory:%s", o->name);
    s->allow_empty = o->allow_empty;
    s->g = g;
    s->stop = cancel_new();
    s->apps_of = MAP_INIT(free);
    mutex_init(&s->lock);
    if (dirwatch_open(&s->watch, e)) {
        directory_source_stop(s);
        return -1;
    }
    directory_source_rescan(s);
    if (thread_start(&s->thread, "source", run, s, e)) {
        directory_source_stop(s);
        return -1;
    }
    *out = s;
    return 0;
}

void directory_source_stop(struct directory_source *s)
{
    if (!s)
        return;
    cancel_fire(s->stop);
    thread_join(&s->thread);
    if (s->watch)
        dirwatch_free(s->watch);
    map_release(&s->apps_of);
    cancel_free(s->stop);
    mutex_destroy(&s->lock);
    free(s->name);
    free(s->path);
    free(s->id);
    free(s);
}
