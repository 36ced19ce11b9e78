/* What the kernel's files say, in our struct. */
#include "core/stats.h"
#include "runtime-linux/cgroup_internal.h"
#include "runtime-linux/stats_internal.h"
#include "tests/unit/unit.h"

static void memory_counters_are_those_that_docker_has(void **state)
{
    cleanup_stats struct container_stats *v1 = container_stats_new(), *v2 = container_stats_new();

    (void)state;
    stats_parse_memory(
        "cache 10\nrss 20\nnovelty 5\nhierarchical_memory_limit 9223372036854771712\n", false, v1);
    assert_int_equal(v1->n_memory, 3);
    assert_string_equal(v1->memory[1].name, "rss");
    assert_int_equal(v1->memory[1].value, 20);
    assert_true(v1->memory[2].value == 9223372036854771712ULL);
    stats_parse_memory("anon 4096\nfile 0\ninactive_file 7\nzswap 5", true, v2);
    assert_int_equal(v2->n_memory, 3);
    assert_string_equal(v2->memory[2].name, "inactive_file");
    stats_parse_memory("", true, v2);
    stats_parse_memory(NULL, true, v2);
    stats_parse_memory("anon", true, v2);
    assert_int_equal(v2->n_memory, 3);
}

static void the_machines_time_is_the_sum_of_its_seven_kinds(void **state)
{
    cleanup_stats struct container_stats *s = container_stats_new();

    (void)state;
    stats_parse_proc_stat("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1 1\ncpu1 1 1 1\nintr 5 cpu\n", s);
    assert_int_equal(s->online_cpus, 2);
    assert_int_equal(s->system_cpu_ns, 28LL * 10000000);
}

static void block_devices_are_told_apart(void **state)
{
    cleanup_stats struct container_stats *s = container_stats_new();

    (void)state;
    stats_parse_blkio("8:0 Read 4096\n8:0 Write 0\n8:16 Read 1\nTotal 4097\n", &s->blkio[0]);
    assert_int_equal(s->blkio[0].n, 3);
    assert_string_equal(s->blkio[0].v[0].op, "Read");
    assert_int_equal(s->blkio[0].v[2].minor, 16);
    stats_parse_blkio("8:0 12\n", &s->blkio[BLKIO_SECTORS]);
    assert_int_equal(s->blkio[BLKIO_SECTORS].v[0].value, 12);
    stats_parse_io("254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\nbad\n", s);
    assert_int_equal(s->blkio[BLKIO_SERVICE_BYTES].n, 5);
    assert_string_equal(s->blkio[BLKIO_SERVICE_BYTES].v[4].op, "write");
    assert_int_equal(s->blkio[BLKIO_SERVICED].v[0].value, 3);
}

static void interfaces_are_listed_but_for_the_loopback(void **state)
{
    cleanup_stats struct container_stats *s = container_stats_new();

    (void)state;
    stats_parse_net_dev("Inter-|   Receive        |  Transmit\n"
                        " face |bytes    packets errs drop fifo frame compressed multicast|bytes\n"
                        "    lo:   10 1 0 0 0 0 0 0 10 1 0 0 0 0 0 0\n"
                        "  eth0: 572 6 1 2 0 0 0 0 84 2 3 4 0 0 0 0\n",
                        s);
    assert_int_equal(s->n_interfaces, 1);
    assert_string_equal(s->interfaces[0].name, "eth0");
    assert_int_equal(s->interfaces[0].rx_dropped, 2);
    assert_int_equal(s->interfaces[0].tx_bytes, 84);
    assert_int_equal(s->interfaces[0].tx_dropped, 4);
}

/* It has one tree for all controllers, whose name in our list is empty. */
static void every_controller_of_v2_is_in_its_tree(void **state)
{
    struct hierarchy tree = {.name = (char[]){""}, .dir = (char[]){"/tree/x"}};
    const struct cgroup v2 = {.ops = &cgroup_v2_ops, .h = &tree, .n = 1};
    struct hierarchy memory = {.name = (char[]){"memory"}, .dir = (char[]){"/memory/x"}};
    const struct cgroup v1 = {.ops = &cgroup_v1_ops, .h = &memory, .n = 1};

    (void)state;
    assert_string_equal(cgroup_dir(&v2, "memory"), "/tree/x");
    assert_string_equal(cgroup_dir(&v2, "io"), "/tree/x");
    assert_string_equal(cgroup_dir(&v1, "memory"), "/memory/x");
    assert_null(cgroup_dir(&v1, "pids"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_counters_are_those_that_docker_has),
        cmocka_unit_test(the_machines_time_is_the_sum_of_its_seven_kinds),
        cmocka_unit_test(block_devices_are_told_apart),
        cmocka_unit_test(interfaces_are_listed_but_for_the_loopback),
        cmocka_unit_test(every_controller_of_v2_is_in_its_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
