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
#include "base/time.h"
#include "compose/compose.h"
#include "reconciler/engine.h"

#define RESCAN_MS   60000
#define DEBOUNCE_MS 150
#define PATIENCE_MS 2000 /* a directory that is never quiet is read all the same */

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
    struct strv seen;         /* app names */
    struct strv origins;      /* where each came from */
    struct strv broken, whys; /* origins that could not be read, and why */
};

static void scan_release(struct scan *sc)
{
    strv_release(&sc->seen);
    strv_release(&sc->origins);
    strv_release(&sc->broken);
    strv_release(&sc->whys);
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

static void report(struct scan *sc, const char *origin, const char *text)
{
    strv_add(&sc->broken, origin);
    strv_add(&sc->whys, text);
}

/*
 * After everything else: a broken file's app may have moved to another file, or its name is only
 * guessed, and neither may harm an app that another file asks for.
 */
static void put_error(struct directory_source *s, struct scan *sc, const char *origin,
                      const char *text)
{
    const char *known = map_get(&s->apps_of, origin);
    cleanup_free char *name = known ? xstrdup(known) : guess_name(origin);
    struct err e = ERR_INIT;

    if (strv_has(&sc->seen, name)) {
        log_error("not usable, and its name belongs to another project", "path=%s name=%s error=%s",
                  origin, name, log_quote(text));
        return;
    }
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
        report(sc, origin, e.msg);
    else
        offer(s, sc, origin, app);
    strv_release(&files);
}

/* ------------------------------------------------------------ one scan */

static bool is_yaml(const char *name)
{
    return name[0] != '.' && (str_ends(name, ".yaml") || str_ends(name, ".yml"));
}

static void watch_dir(struct directory_source *s, const char *dir)
{
    struct err e = ERR_INIT;

    if (dirwatch_add(s->watch, dir, &e) && e.kind != ERR_NOT_FOUND)
        log_warn("directory not watched, only rescanned", "path=%s error=%s", dir,
                 log_quote(e.msg));
}

/* It had an app: gone for good only when the directory itself can be read.  A link may point to
 * what is not mounted yet. */
static void probe(struct directory_source *s, struct scan *sc, const char *path)
{
    struct strv names = {0};
    struct err e = ERR_INIT;

    if (map_get(&s->apps_of, path) && fs_list(path, &names, &e))
        report(sc, path, e.msg);
    strv_release(&names);
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
        else
            probe(s, sc, path);
        return;
    }
    watch_dir(s, path);
    compose = compose_find_file(path);
    if (compose)
        load_project(s, sc, path, NULL);
    else
        probe(s, sc, path);
}

static int scan_all(struct directory_source *s, struct scan *sc, struct err *e)
{
    cleanup_strv struct strv names = {0};
    cleanup_free char *own = NULL;

    if (fs_list(s->path, &names, e))
        return -1;
    watch_dir(s, s->path);
    own = compose_find_file(s->path);
    if (own)
        load_project(s, sc, s->path, NULL);
    for (size_t i = 0; i < names.n; i++)
        scan_entry(s, sc, names.v[i], own == NULL);
    for (size_t i = 0; i < sc->broken.n; i++)
        put_error(s, sc, sc->broken.v[i], sc->whys.v[i]);
    return 0;
}

/* Apps of this source that no file asks for any more.  False: they are kept all the same. */
static bool remove_missing(struct directory_source *s, const struct scan *sc)
{
    struct strv names = {0};
    struct err e = ERR_INIT;
    bool empty;

    apps_of_source(s->g, s->id, &names);
    empty = names.n && sc->seen.n == 0 && !s->allow_empty;
    if (empty) {
        log_warn("source is empty: its apps stay as they are; set allow_empty to have them removed",
                 "source=%s path=%s apps=%zu", s->name, s->path, names.n);
    } else {
        for (size_t i = 0; i < names.n; i++)
            if (!strv_has(&sc->seen, names.v[i]) && apps_remove(s->g, names.v[i], s->id, &e))
                log_error("app not removed", "app=%s error=%s", names.v[i], log_quote(e.msg));
    }
    strv_release(&names);
    return !empty;
}

/* Where the apps that an earlier agent took over came from: a file may be broken by now. */
static void remember_origins(struct directory_source *s)
{
    struct strv names = {0};

    apps_of_source(s->g, s->id, &names);
    for (size_t i = 0; i < names.n; i++) {
        cleanup_app struct app *app = NULL;
        const char *dir;

        if (apps_model(s->g, names.v[i], &app, ERR_IGNORE) || !app)
            continue;
        dir = app->project_dir ? app->project_dir : "";
        map_put(&s->apps_of, dir, xstrdup(app->name));
        if (strcmp(dir, s->path) == 0 && app->files.n)
            map_put(&s->apps_of, app->files.v[0], xstrdup(app->name));
    }
    strv_release(&names);
}

/* Origins that are not there any more say nothing of what may come in their place. */
static void forget_origins(struct directory_source *s, const struct scan *sc)
{
    cleanup_strv struct strv gone = {0};
    const char *origin;
    void *name;

    for (size_t i = 0; map_at(&s->apps_of, &i, &origin, &name); i++)
        if (!strv_has(&sc->origins, origin) && !strv_has(&sc->broken, origin))
            strv_add(&gone, origin);
    for (size_t i = 0; i < gone.n; i++)
        map_del(&s->apps_of, gone.v[i]);
}

void directory_source_rescan(struct directory_source *s)
{
    struct scan sc = {0};
    struct err e = ERR_INIT;

    mutex_lock(&s->lock);
    if (scan_all(s, &sc, &e))
        log_error("source not readable, its apps stay as they are", "source=%s error=%s", s->name,
                  log_quote(e.msg));
    else if (remove_missing(s, &sc))
        forget_origins(s, &sc);
    mutex_unlock(&s->lock);
    scan_release(&sc);
}

/* ------------------------------------------------------------ the thread */

/* Until something changed and it is quiet again (an editor writes in several steps), or the time
 * for a rescan has come.  False: the source ends. */
static bool wait_for_change(struct directory_source *s)
{
    struct err e = ERR_INIT;
    int r = dirwatch_wait(s->watch, RESCAN_MS, s->stop, &e);
    int64_t patience = time_mono_ms() + PATIENCE_MS;

    while (r == 1 && time_mono_ms() < patience)
        r = dirwatch_wait(s->watch, DEBOUNCE_MS, s->stop, &e);
    if (r >= 0)
        return true;
    if (cancel_fired(s->stop))
        return false;
    log_error("source is not watched, only rescanned", "source=%s error=%s", s->name,
              log_quote(e.msg));
    return !cancel_sleep_ms(s->stop, RESCAN_MS);
}

static void run(void *arg)
{
    struct directory_source *s = arg;

    while (wait_for_change(s))
        directory_source_rescan(s);
}

int directory_source_start(const struct directory_opts *o, struct engine *g,
                           struct directory_source **out, struct err *e)
{
    struct directory_source *s = xcalloc(1, sizeof(*s));

    s->name = xstrdup(o->name);
    s->path = path_clean(o->path);
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
    remember_origins(s);
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
