/* Projects on disk: which files are read, what lies over what, and what may not be reached. */
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "compose/compose.h"
#include "core/container.h"
#include "tests/unit/unit.h"

static char dir[] = "/tmp/test-compose-XXXXXX";
static char *project;

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    project = path_join(dir, "my.Shop_1");
    assert_ok(fs_mkdir_p(project, 0755, &e));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_ok(fs_remove_all(dir, &e));
    free(project);
    return 0;
}

static int empty_project(void **state)
{
    (void)state;
    assert_ok(fs_remove_all(project, &e));
    assert_ok(fs_mkdir_p(project, 0755, &e));
    return 0;
}

static void put(const char *name, const char *text)
{
    cleanup_free char *path = path_join(project, name);
    cleanup_free char *up = path_dir(path);

    assert_ok(fs_mkdir_p(up, 0755, &e));
    assert_ok(fs_write_atomic(path, text, strlen(text), 0644, false, &e));
}

static struct app *load(void)
{
    struct compose_opts o = {.project_dir = project, .source = "directory:t"};
    struct app *app = NULL;

    assert_ok(compose_load(&o, &app, &e));
    return app;
}

static void fails(const char *end)
{
    struct compose_opts o = {.project_dir = project};
    struct app *app = NULL;
    struct err e = ERR_INIT;

    if (!compose_load(&o, &app, &e))
        fail_msg("loaded; expected: %s", end);
    /* without the directory, which has another name each time */
    const char *msg = str_starts(e.msg, project) ? e.msg + strlen(project) + 1 : e.msg;

    assert_string_equal(msg, end);
}

static const char *env_of(const struct app *app, const char *name)
{
    const struct strv *env = &app->services[0].spec->env;
    size_t n = strlen(name);

    for (size_t i = 0; i < env->n; i++)
        if (!strncmp(env->v[i], name, n) && env->v[i][n] == '=')
            return env->v[i] + n + 1;
    return NULL;
}

static void a_directory_without_a_file_is_no_project(void **state)
{
    (void)state;
    assert_null(compose_find_file(project));
    struct compose_opts o = {.project_dir = project};
    struct app *app = NULL;

    assert_err(compose_load(&o, &app, &e), ERR_NOT_FOUND);
    put("docker-compose.yml", "services: {a: {image: x}}");
    put("compose.yml", "services: {a: {image: x}}");
    cleanup_free char *found = compose_find_file(project);

    assert_true(str_ends(found, "/compose.yml"));
}

static void the_name_comes_from_the_directory_the_file_or_the_caller(void **state)
{
    (void)state;
    put("compose.yaml", "services: {a: {image: x}}");
    cleanup_app struct app *a = load();

    assert_string_equal(a->name, "myshop_1");
    assert_string_equal(a->services[0].spec->network_mode, "myshop_1_default");
    assert_string_equal(
        kvs_get(&a->services[0].spec->labels, "com.docker.compose.project.working_dir"), project);
    put("compose.yaml", "name: $N-x\nservices: {a: {image: \"x:$COMPOSE_PROJECT_NAME\"}}");
    put(".env", "N=given\n");
    cleanup_app struct app *b = load();

    assert_string_equal(b->name, "given-x");
    assert_string_equal(b->services[0].spec->image, "x:given-x");
    struct compose_opts o = {.project_dir = project, .name = "mine"};
    struct app *c = NULL;

    assert_ok(compose_load(&o, &c, &e));
    assert_string_equal(c->name, "mine");
    app_free(c);
    put("compose.yaml", "name: Bad Name\nservices: {a: {image: x}}");
    fails("compose.yaml:1:7: name: \"Bad Name\" is not allowed: a project's name is of a-z, 0-9, _ "
          "and -, and begins with a letter or digit");
}

static void dotenv_feeds_interpolation_and_env_file_feeds_the_container(void **state)
{
    (void)state;
    put(".env", "TAG=2\nONLY_DOTENV=1\n");
    put("conf/a.env", "A=from a\nB=from a\nT=$TAG\n");
    put("b.env", "B='$raw'\n");
    put("compose.yaml", "services:\n  a:\n    image: x:$TAG\n"
                        "    env_file:\n      - conf/a.env\n      - {path: b.env, format: raw}\n"
                        "      - {path: none.env, required: false}\n"
                        "    environment: {A: own, ONLY_DOTENV: }\n");
    cleanup_app struct app *app = load();

    assert_string_equal(app->services[0].spec->image, "x:2");
    assert_string_equal(env_of(app, "A"), "own");
    assert_string_equal(env_of(app, "B"), "'$raw'");
    assert_string_equal(env_of(app, "T"), "2");
    assert_string_equal(env_of(app, "ONLY_DOTENV"), "1");
    assert_null(env_of(app, "TAG"));
    put("conf/a.env", "A=1\nB=$NOPE\n");
    fails("conf/a.env:2:3: B: variable NOPE is not set and has no default; write ${NOPE:-} for an "
          "empty one");
}

static void the_agents_own_environment_is_not_seen(void **state)
{
    (void)state;
    setenv("BALLAST_TEST_SECRET", "x", 1);
    put("compose.yaml", "services: {a: {image: \"x:$BALLAST_TEST_SECRET\"}}");
    fails("compose.yaml:1:23: services.a.image: variable BALLAST_TEST_SECRET is not set and has no "
          "default; write ${BALLAST_TEST_SECRET:-} for an empty one");
}

static void an_override_file_lies_over_the_first(void **state)
{
    (void)state;
    put("compose.yaml", "services:\n  a:\n    image: x\n    command: [one, two]\n"
                        "    environment: {A: 1, B: 1}\n    ports: ['80:80']\n"
                        "    volumes: ['/h:/v', '/k:/w']\n    tmpfs: /a\n"
                        "    labels: [l=1]\n    depends_on: [b]\n    user: u\n    hostname: h\n"
                        "    logging: {driver: local, options: {a: b}}\n"
                        "  b: {image: y}\n  c: {image: z}\n");
    put("compose.override.yaml",
        "services:\n  a:\n    command: three\n    environment: [B=2, C=2]\n"
        "    ports: ['81:81', '80:80']\n    volumes: ['/other:/v:ro']\n    tmpfs: [/b]\n"
        "    labels: {l: 2}\n    depends_on: {c: {condition: service_started}}\n"
        "    user: !reset null\n    hostname: !override g\n    logging: {driver: json-file}\n"
        "  c: !reset null\n  d: {image: q}\n");
    fails("compose.override.yaml:9:18: services.a.depends_on: there is no service c; did you "
          "mean a?");
    put("compose.override.yaml",
        "services:\n  a:\n    command: three\n    environment: [B=2, C=2]\n"
        "    ports: ['81:81', '80:80']\n    volumes: ['/other:/v:ro']\n    tmpfs: [/b]\n"
        "    labels: {l: 2}\n    depends_on: {c: {condition: service_started}}\n"
        "    user: !reset null\n    hostname: !override g\n    logging: {driver: json-file}\n"
        "  b: !override {image: q}\n");
    cleanup_app struct app *app = load();
    const struct container_spec *s = app->services[0].spec;

    assert_int_equal(app->files.n, 2);
    assert_int_equal(app->n_services, 3);
    assert_int_equal(s->cmd.n, 1);
    assert_string_equal(env_of(app, "A"), "1");
    assert_string_equal(env_of(app, "B"), "2");
    assert_string_equal(env_of(app, "C"), "2");
    assert_int_equal(s->n_ports, 2);
    assert_int_equal(s->n_mounts, 4);
    for (size_t i = 0; i < s->n_mounts; i++)
        if (str_eq(s->mounts[i].target, "/v"))
            assert_string_equal(s->mounts[i].source, "/other");
    assert_string_equal(kvs_get(&s->labels, "l"), "2");
    assert_int_equal(app->services[0].n_depends, 2);
    assert_true(str_empty(s->user));
    assert_string_equal(s->hostname, "g");
    assert_string_equal(s->log_driver, "json-file");
    assert_int_equal(s->log_opts.n, 0);
    assert_string_equal(app_find_service(app, "b")->spec->image, "q");
    put("compose.override.yaml", "services:\n  a:\n    ports: {80: 80}\n");
    cleanup_free char *want =
        str_printf("compose.override.yaml:3:12: services.a.ports: is a mapping "
                   "here, but a list in %s/compose.yaml:6",
                   project);

    fails(want);
}

static void relative_binds_are_below_the_project(void **state)
{
    (void)state;
    put("compose.yaml", "services: {a: {image: x, volumes: ['./html:/h', '../up:/u', '.:/all']}}");
    cleanup_app struct app *app = load();
    const struct container_spec *s = app->services[0].spec;
    cleanup_free char *html = path_join(project, "html"), *up = path_join(dir, "up");

    assert_string_equal(s->mounts[0].source, html);
    assert_string_equal(s->mounts[1].source, up);
    assert_string_equal(s->mounts[2].source, project);
}

static void configs_and_secrets_are_files_that_are_mounted(void **state)
{
    (void)state;
    put("conf/web.conf", "x");
    put("compose.yaml", "services:\n  a:\n    image: x\n"
                        "    configs: [web, {source: web, target: /etc/w}]\n"
                        "    secrets: [key, inline]\n"
                        "configs: {web: {file: conf/web.conf}}\n"
                        "secrets: {key: {file: ./conf/web.conf}, inline: {environment: K}}\n");
    cleanup_app struct app *app = load();
    const struct container_spec *s = app->services[0].spec;

    assert_int_equal(s->n_mounts, 3);
    assert_string_equal(s->mounts[0].target, "/web");
    assert_string_equal(s->mounts[1].target, "/etc/w");
    assert_string_equal(s->mounts[2].target, "/run/secrets/key");
    assert_true(s->mounts[2].read_only);
    assert_int_equal(app->n_notices, 1);
    assert_int_equal(app->notices[0].level, NOTICE_REFUSED);
    assert_string_equal(app->notices[0].key, "secrets[1]");
}

static void nothing_outside_of_the_project_is_read(void **state)
{
    cleanup_free char *outside = path_join(dir, "outside.env");
    cleanup_free char *link = path_join(project, "link.env");

    (void)state;
    assert_ok(fs_write_atomic(outside, "A=1\n", 4, 0644, false, &e));
    assert_int_equal(symlink(outside, link), 0);
    static const char *const cases[][2] = {
        {"services: {a: {image: x, env_file: ../outside.env}}",                     "36"},
        {"services: {a: {image: x, env_file: link.env}}",                           "36"},
        {"services: {a: {image: x, env_file: /etc/passwd}}",                        "36"},
        {"services: {a: {image: x, label_file: link.env}}",                         "38"},
        {"services: {a: {image: x, configs: [c]}}\nconfigs: {c: {file: link.env}}", "36"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct compose_opts o = {.project_dir = project};
        struct app *app = NULL;
        struct err e = ERR_INIT;

        put("compose.yaml", cases[i][0]);
        assert_int_equal(compose_load(&o, &app, &e), -1);
        cleanup_free char *place = str_printf("%s/compose.yaml:1:%s: ", project, cases[i][1]);

        if (!str_starts(e.msg, place) || !strstr(e.msg, "lies outside of the project's directory"))
            fail_msg("%s", e.msg);
    }
    put("compose.yaml", "services: {a: {image: x, env_file: none.env}}");
    cleanup_free char *want = str_printf("compose.yaml:1:36: services.a.env_file: %s/none.env: no "
                                         "such file or directory",
                                         project);

    fails(want);
}

static void several_files_are_named_by_the_caller(void **state)
{
    struct strv files = {0};
    struct app *app = NULL;

    (void)state;
    put("base.yaml", "services: {a: {image: x}}");
    put("prod.yaml", "services: {a: {restart: always}}");
    strv_take(&files, path_join(project, "base.yaml"));
    strv_take(&files, path_join(project, "prod.yaml"));
    struct compose_opts o = {.project_dir = project, .files = &files};

    assert_ok(compose_load(&o, &app, &e));
    assert_int_equal(app->services[0].spec->restart, RESTART_ALWAYS);
    app_free(app);
    put("prod.yaml", "services:\n  a:\n    restrt: always\n");
    app = NULL;
    struct err e = ERR_INIT;

    assert_int_equal(compose_load(&o, &app, &e), -1);
    assert_non_null(strstr(e.msg, "/prod.yaml:3:5: services.a.restrt: unknown key"));
    strv_release(&files);
}

#define TEST(fn) cmocka_unit_test_setup(fn, empty_project)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_directory_without_a_file_is_no_project),
        TEST(the_name_comes_from_the_directory_the_file_or_the_caller),
        TEST(dotenv_feeds_interpolation_and_env_file_feeds_the_container),
        TEST(the_agents_own_environment_is_not_seen),
        TEST(an_override_file_lies_over_the_first),
        TEST(relative_binds_are_below_the_project),
        TEST(configs_and_secrets_are_files_that_are_mounted),
        TEST(nothing_outside_of_the_project_is_read),
        TEST(several_files_are_named_by_the_caller),
    };
    return cmocka_run_group_tests_name("compose/files", tests, setup, teardown);
}
