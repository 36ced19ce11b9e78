/* What an update makes of a container's limits, and what it is refused for, in dockerd's words. */
#include <string.h>

#include "tests/unit/unit.h"

#include "base/json.h"
#include "base/mem.h"
#include "core/container.h"

/* Two cents of CPU, 64 MB without swap, no restart. */
static struct container_spec *limited(void)
{
    struct container_spec *s = container_spec_new();

    s->nano_cpus = 20000000;
    s->memory = s->memory_swap = 64 << 20;
    s->restart_delay_ns = 5;
    return s;
}

static int update(struct container_spec *s, const char *body, struct err *e)
{
    cleanup_update struct container_update u = {0};
    cleanup_json struct json_doc doc = {0};
    struct json root;

    if (json_parse(body, strlen(body), &doc, e))
        return -1;
    root = json_root(&doc);
    return container_update_decode(&root, &u, e) || container_update_check(&u, e) ||
                   container_update_apply(&u, s, e)
               ? -1
               : 0;
}

static void what_is_not_given_stays(void **state)
{
    cleanup_spec struct container_spec *s = limited();

    (void)state;
    assert_ok(update(s, "{}", &e));
    assert_ok(update(s, "{\"Memory\":0,\"CpusetCpus\":\"\",\"PidsLimit\":null}", &e));
    assert_int_equal(s->nano_cpus, 20000000);
    assert_int_equal(s->memory, 64 << 20);
    assert_ok(update(s, "{\"CpusetCpus\":\"0\",\"CpuShares\":300,\"PidsLimit\":9}", &e));
    assert_ok(update(s, "{\"PidsLimit\":-1}", &e));
    assert_string_equal(s->cpuset_cpus, "0");
    assert_int_equal(s->cpu_shares, 300);
    assert_true(s->pids_limit <= 0);
    assert_int_equal(s->restart_delay_ns, 5);
}

static void a_new_policy_is_dockers_alone(void **state)
{
    cleanup_spec struct container_spec *s = limited();

    (void)state;
    assert_ok(update(s, "{\"RestartPolicy\":{\"Name\":\"\",\"MaximumRetryCount\":3}}", &e));
    assert_int_equal(s->restart, RESTART_NO);
    assert_ok(
        update(s, "{\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}}", &e));
    assert_int_equal(s->restart, RESTART_ON_FAILURE);
    assert_int_equal(s->restart_max, 3);
    assert_int_equal(s->restart_delay_ns, 0);
}

static void refusals_are_dockers(void **state)
{
    static const struct {
        const char *body, *message;
        enum err_kind kind;
    } rows[] = {
        {"{\"Memory\":1048576}",                                              "Minimum memory limit allowed is 6MB", ERR_INVALID },
        {"{\"CpuPeriod\":100000}",
         "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set",                       ERR_CONFLICT},
        {"{\"CpuQuota\":100000}",
         "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",                        ERR_CONFLICT},
        {"{\"Memory\":104857600}",
         "Memory limit should be smaller than already set memoryswap limit, update the memoryswap "
         "at the same time",                                                                                         ERR_CONFLICT},
        {"{\"MemorySwap\":10485760}",
         "Minimum memoryswap limit should be larger than memory limit, see usage",                                   ERR_INVALID },
        {"{\"RestartPolicy\":{\"Name\":\"always\",\"MaximumRetryCount\":3}}",
         "invalid restart policy: maximum retry count can only be used with 'on-failure'",                           ERR_INVALID },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_spec struct container_spec *s = limited();
        struct err e = ERR_INIT;

        assert_int_equal(update(s, rows[i].body, &e), -1);
        assert_string_equal(e.msg, rows[i].message);
        assert_int_equal(e.kind, rows[i].kind);
    }
}

static void undone_is_as_before(void **state)
{
    cleanup_spec struct container_spec *s = limited();
    cleanup_spec struct container_spec *before = container_spec_copy(s);

    (void)state;
    assert_ok(update(s,
                     "{\"Memory\":104857600,\"MemorySwap\":-1,\"CpusetMems\":\"0\","
                     "\"RestartPolicy\":{\"Name\":\"always\"},\"PidsLimit\":5}",
                     &e));
    assert_int_equal(s->memory_swap, -1);
    container_update_undo(s, before);
    assert_int_equal(s->memory_swap, 64 << 20);
    assert_int_equal(s->restart, RESTART_NO);
    assert_int_equal(s->restart_delay_ns, 5);
    assert_int_equal(s->pids_limit, before->pids_limit);
    assert_string_equal(s->cpuset_mems, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_given_stays),
        cmocka_unit_test(a_new_policy_is_dockers_alone),
        cmocka_unit_test(refusals_are_dockers),
        cmocka_unit_test(undone_is_as_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
