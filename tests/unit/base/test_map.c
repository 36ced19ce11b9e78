#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

#include "base/id.h"
#include "base/map.h"
#include "base/mem.h"

static int freed;

static void count_free(void *p)
{
    freed++;
    free(p);
}

static void entries_come_back_in_the_order_of_insertion(void **state)
{
    struct map m = MAP_INIT(NULL);
    static const char *const keys[] = {"zeta", "alpha", "mid", "beta"};
    const char *key;
    void *value;
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < 4; i++)
        map_put(&m, keys[i], (void *)keys[i]);
    map_del(&m, "alpha");
    map_put(&m, "alpha", (void *)"again");
    for (size_t i = 0; map_at(&m, &i, &key, &value); i++) {
        static const char *const want[] = {"zeta", "mid", "beta", "alpha"};

        assert_string_equal(key, want[n++]);
    }
    assert_int_equal(n, 4);
    map_release(&m);
    assert_null(map_get(&m, "zeta"));
}

static void values_are_freed_on_replace_delete_and_release_but_not_on_take(void **state)
{
    struct map m = MAP_INIT(count_free);
    char *taken;

    (void)state;
    freed = 0;
    map_put(&m, "a", xstrdup("1"));
    map_put(&m, "a", xstrdup("2"));
    assert_int_equal(freed, 1);
    map_put(&m, "b", xstrdup("3"));
    map_del(&m, "b");
    map_del(&m, "b");
    assert_int_equal(freed, 2);
    taken = map_take(&m, "a");
    assert_string_equal(taken, "2");
    assert_int_equal(freed, 2);
    free(taken);
    map_put(&m, "c", xstrdup("4"));
    map_release(&m);
    assert_int_equal(freed, 3);
    assert_int_equal(map_count(&m), 0);
}

/* Against a plain array, through many grows, with keys that come and go. */
static void a_long_random_life_agrees_with_an_array(void **state)
{
    enum { KEYS = 500, ROUNDS = 50000 };
    static bool there[KEYS];
    struct map m = MAP_INIT(NULL);
    size_t n = 0;
    unsigned r;

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        char key[16];

        random_bytes(&r, sizeof(r));
        snprintf(key, sizeof(key), "key-%u", r % KEYS);
        if (r & 0x10000) {
            map_put(&m, key, &there[r % KEYS]);
            n += !there[r % KEYS];
            there[r % KEYS] = true;
        } else {
            map_del(&m, key);
            n -= there[r % KEYS];
            there[r % KEYS] = false;
        }
        assert_ptr_equal(map_get(&m, key), there[r % KEYS] ? &there[r % KEYS] : NULL);
        assert_int_equal(map_count(&m), n);
    }
    map_release(&m);
}

static void churn_of_one_key_does_not_grow_the_map(void **state)
{
    struct map m = MAP_INIT(NULL);

    (void)state;
    for (int i = 0; i < 10000; i++) {
        map_put(&m, "only", &m);
        map_del(&m, "only");
    }
    assert_true(m.cap <= 16);
    map_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_back_in_the_order_of_insertion),
        cmocka_unit_test(values_are_freed_on_replace_delete_and_release_but_not_on_take),
        cmocka_unit_test(a_long_random_life_agrees_with_an_array),
        cmocka_unit_test(churn_of_one_key_does_not_grow_the_map),
    };
    return cmocka_run_group_tests_name("base/map", tests, NULL, NULL);
}
