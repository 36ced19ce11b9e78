/*
 * Control groups of version 2 on a made tree: what limits, also new ones of a running container,
 * are written as, and how running out of memory is told.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtime-linux/cgroup_internal.h"

static char root[64];
static struct hierarchy tree = {.name = (char[]){""}, .dir = root};
static struct cgroup group = {.ops = &cgroup_v2_ops, .path = (char[]){"/t"}, .h = &tree, .n = 1};

static void put(const char *file, const char *text)
{
    cleanup_free char *path = path_join(root, file);

    assert_ok(fs_write_atomic(path, text, strlen(text), 0600, false, &e));
}

static void expect(const char *file, const char *text)
{
    cleanup_free char *have = cgroup_read(root, file);

    assert_non_null(have);
    assert_string_equal(have, text);
}

static int setup(void **state)
{
    static const char *const files[] = {"memory.max", "memory.swap.max", "memory.low",
                                        "cpu.max",    "cpu.weight",      "cpuset.cpus",
                                        "pids.max",   "io.weight",       "cpuset.mems"};

    (void)state;
    snprintf(root, sizeof(root), "/tmp/ballast-cgroup-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    put("cgroup.controllers", "cpuset cpu io memory pids\n");
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        put(files[i], "");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return fs_remove_all(root, ERR_IGNORE);
}

static void apply(const char *json)
{
    struct oci_resources r;

    oci_resources_init(&r);
    assert_ok(oci_resources_parse(json, strlen(json), &r, &e));
    assert_ok(cgroup_apply(&group, &r, &e));
    oci_resources_release(&r);
}

static void limits_have_the_words_of_version_2(void **state)
{
    (void)state;
    apply("{\"memory\":{\"limit\":67108864,\"swap\":134217728,\"reservation\":1048576},"
          "\"cpu\":{\"shares\":1024,\"quota\":50000,\"period\":100000,\"cpus\":\"0-1\"},"
          "\"pids\":{\"limit\":77},\"blockIO\":{\"weight\":1000}}");
    expect("memory.max", "67108864");
    expect("memory.swap.max", "67108864");
    expect("memory.low", "1048576");
    expect("cpu.max", "50000 100000");
    expect("cpu.weight", "39");
    expect("cpuset.cpus", "0-1");
    expect("pids.max", "77");
    expect("io.weight", "default 10000");
}

static void what_an_update_does_not_name_stays(void **state)
{
    (void)state;
    put("memory.max", "67108864");
    put("cpu.weight", "39");
    apply("{\"pids\":{\"limit\":-1},\"cpu\":{\"quota\":-1,\"period\":100000}}");
    expect("memory.max", "67108864");
    expect("cpu.weight", "39");
    expect("pids.max", "max");
    expect("cpu.max", "max 100000");
    apply("{\"memory\":{\"limit\":67108864,\"swap\":-1}}");
    expect("memory.swap.max", "max");
}

static void out_of_memory_is_taken_once(void **state)
{
    uint32_t events = 0;
    int64_t kills = 0;
    int fd;

    (void)state;
    put("memory.events", "low 0\nhigh 0\nmax 3\noom 0\noom_kill 0\n");
    fd = cgroup_oom_fd(&group, &events);
    assert_true(fd >= 0 && events != 0);
    assert_false(cgroup_oom_take(&group, fd, &kills)); /* the limit was met, nobody was killed */
    put("memory.events", "low 0\nhigh 0\nmax 9\noom 1\noom_kill 2\n");
    assert_true(cgroup_oom_take(&group, fd, &kills));
    assert_false(cgroup_oom_take(&group, fd, &kills));
    put("memory.events", "low 0\nhigh 0\nmax 9\noom 2\noom_kill 3\n");
    assert_true(cgroup_oom_take(&group, fd, &kills));
    assert_int_equal(kills, 3);
    assert_int_equal(cgroup_oom_kills(&group), 3);
    close(fd);
}

static void without_memory_events_nothing_is_told(void **state)
{
    uint32_t events = 0;

    (void)state;
    assert_int_equal(cgroup_oom_fd(&group, &events), -1);
    assert_int_equal(cgroup_oom_kills(&group), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(limits_have_the_words_of_version_2),
        T(what_an_update_does_not_name_stays),
        T(out_of_memory_is_taken_once),
        T(without_memory_events_nothing_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
