/* fault: counts every point it meets, so that a test can ask how many there are before it tries
 * them one by one. */
#include "base/fault.h"

#ifdef BALLAST_FAULTS

#include <string.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/str.h"
#include "base/sync.h"

struct point {
    unsigned hits;
    unsigned fail_at; /* 0: never */
    bool onwards;     /* and every later hit */
    bool kill;
};

static struct mutex lock = MUTEX_INIT;
static struct map points = {.free_value = free};
static bool environment_read;

static struct point *point_at(const char *name)
{
    struct point *p = map_get(&points, name);

    if (!p) {
        p = xcalloc(1, sizeof(*p));
        map_put(&points, name, p);
    }
    return p;
}

/* "name", "name:3", "name:3+", "name:3:kill" */
static void set_from_text(const char *text)
{
    cleanup_strv struct strv part = {0};
    bool onwards = false;
    int64_t nth = 1;
    struct point *p;

    strv_split(&part, text, ':');
    if (part.n > 1 && str_ends(part.v[1], "+")) {
        onwards = true;
        part.v[1][strlen(part.v[1]) - 1] = '\0';
    }
    if (part.n > 1 && parse_i64(part.v[1], 1, INT32_MAX, "BALLAST_FAULT", &nth, ERR_IGNORE)) {
        fprintf(stderr, "BALLAST_FAULT: \"%s\" is not name:number[+][:kill]\n", text);
        abort(); /* a test that injects nothing would pass for the wrong reason */
    }
    p = point_at(part.v[0]);
    p->fail_at = (unsigned)nth;
    p->onwards = onwards;
    p->kill = part.n > 2 && str_eq(part.v[2], "kill");
}

static void read_environment(void)
{
    const char *text = getenv("BALLAST_FAULT");
    cleanup_strv struct strv faults = {0};

    if (environment_read)
        return;
    environment_read = true;
    if (str_empty(text))
        return;
    strv_split(&faults, text, ',');
    for (size_t i = 0; i < faults.n; i++)
        set_from_text(faults.v[i]);
}

bool fault_hit(const char *name)
{
    struct process self = {.pid = getpid()};
    struct point *p;
    bool fails, kills;

    mutex_lock(&lock);
    read_environment();
    p = point_at(name);
    p->hits++;
    fails = p->hits == p->fail_at || (p->onwards && p->hits > p->fail_at);
    kills = fails && p->kill;
    mutex_unlock(&lock);
    if (kills)
        process_kill(&self);
    return fails;
}

static void set(const char *name, struct point want)
{
    mutex_lock(&lock);
    environment_read = true; /* a test that sets points by hand wants no others */
    if (name)
        *point_at(name) = want;
    else
        map_release(&points);
    mutex_unlock(&lock);
}

void fault_set(const char *name, unsigned nth, bool kill)
{
    set(name, (struct point){.fail_at = nth, .kill = kill});
}

void fault_set_from(const char *name, unsigned nth)
{
    set(name, (struct point){.fail_at = nth, .onwards = true});
}

unsigned fault_count(const char *name)
{
    struct point *p;
    unsigned hits;

    mutex_lock(&lock);
    p = map_get(&points, name);
    hits = p ? p->hits : 0;
    mutex_unlock(&lock);
    return hits;
}

#else

/* ISO C wants something in every file. */
typedef int fault_is_compiled_out;

#endif
