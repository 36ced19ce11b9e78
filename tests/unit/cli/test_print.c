/* What people see: tables and plans. */
#include "base/json.h"
#include "base/mem.h"
#include "cli/plan_print.h"
#include "cli/table.h"
#include "tests/unit/cli/capture.h"
#include "tests/unit/unit.h"

static const struct cli plain;
static const struct cli colored = {.color = true};

static void columns_align_and_lines_end_without_blanks(void **state)
{
    static const char *const titles[] = {"NAME", "STATE", "NOTE"};
    static const char *const keys[] = {"Name", "State", "Note"};
    cleanup_table struct table t = {0};
    struct capture c = {0};

    (void)state;
    table_init(&t, keys, titles, 3);
    table_add(&t, "größe");
    table_addc(&t, COLOR_GREEN, "ok");
    table_add(&t, "");
    table_add(&t, "a-long-name");
    table_add(&t, "bad");
    table_addf(&t, "%d", 5);
    capture_begin(&c);
    table_print(&plain, &t, false, true);
    table_print(&colored, &t, false, false);
    table_print(&plain, &t, true, true);
    cleanup_free char *text = capture_end(&c);

    assert_string_equal(text, "NAME          STATE   NOTE\n"
                              "größe         ok\n"
                              "a-long-name   bad     5\n"
                              "größe         \033[32mok\033[0m\n"
                              "a-long-name   bad   5\n"
                              "{\"Name\":\"größe\",\"State\":\"ok\",\"Note\":\"\"}\n"
                              "{\"Name\":\"a-long-name\",\"State\":\"bad\",\"Note\":\"5\"}\n");
}

static char *printed(const char *json, bool details)
{
    cleanup_json struct json_doc doc = {0};
    struct capture c = {0};

    assert_ok(json_parse(json, strlen(json), &doc, &e));
    struct json root = json_root(&doc);

    capture_begin(&c);
    plan_print(&plain, &root, details);
    return capture_end(&c);
}

#define PLAN                                                                                   \
    "{\"name\":\"shop\",\"ops\":["                                                             \
    "{\"op\":\"create volume\",\"resource\":\"shop_d\",\"cause\":\"not there\",\"after\":[]}," \
    "{\"op\":\"stop container\",\"resource\":\"web\",\"cause\":\"ports: 1 -> 2\"},"            \
    "{\"op\":\"remove container\",\"resource\":\"web\",\"cause\":\"ports: 1 -> 2\","           \
    "\"after\":[1],\"waiting_for\":\"stop web\"},"                                             \
    "{\"op\":\"create container\",\"resource\":\"web\",\"cause\":\"ports: 1 -> 2\","           \
    "\"changes\":[\"ports: 1 -> 2\",\"environment: A changed\"],\"after\":[2]},"               \
    "{\"op\":\"start container\",\"resource\":\"web\",\"cause\":\"ports: 1 -> 2\","            \
    "\"after\":[3]},"                                                                          \
    "{\"op\":\"start container\",\"resource\":\"db\",\"cause\":\"not started\",\"after\":[],"  \
    "\"waiting_for\":\"x is not healthy yet\"},"                                               \
    "{\"op\":\"update container\",\"resource\":\"u\",\"cause\":\"restart: no -> always\"},"    \
    "{\"op\":\"stop container\",\"resource\":\"old\",\"cause\":\"left the file\"},"            \
    "{\"op\":\"remove container\",\"resource\":\"old\",\"cause\":\"left the file\"},"          \
    "{\"op\":\"blocked\",\"resource\":\"held\",\"cause\":\"stopped by hand\"}]}"

static void a_plan_has_one_line_per_thing(void **state)
{
    cleanup_free char *text = printed(PLAN, false);

    (void)state;
    assert_string_equal(text, "shop: 6 changes\n"
                              "  + create     volume      shop_d   not there\n"
                              "  ~ recreate   container   web      ports: 1 -> 2\n"
                              "  + start      container   db       not started; waits: x is not "
                              "healthy yet\n"
                              "  ~ update     container   u        restart: no -> always\n"
                              "  - remove     container   old      left the file\n"
                              "  ! blocked                held     stopped by hand\n");
}

static void a_diff_has_what_changes_in_it(void **state)
{
    cleanup_free char *text = printed(PLAN, true);
    cleanup_free char *none = printed("{\"name\":\"shop\",\"ops\":[]}", true);

    (void)state;
    assert_non_null(strstr(text, "~ container web: recreate\n"
                                 "    ports: 1 -> 2\n"
                                 "    environment: A changed\n"));
    assert_string_equal(none, "shop: nothing to do\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_align_and_lines_end_without_blanks),
        cmocka_unit_test(a_plan_has_one_line_per_thing),
        cmocka_unit_test(a_diff_has_what_changes_in_it),
    };
    return cmocka_run_group_tests_name("cli/print", tests, NULL, NULL);
}
