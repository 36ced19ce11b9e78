/*
 * The JSON of objects against what dockerd 28.5 printed for the same ones (golden/, with paths
 * masked).  Objects are made from the golden text, written, and compared with it: the order of keys
 * is free, everything else is not, null, [] and absence least of all.
 */
#include "api/codec.h"

#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/time.h"
#include "tests/unit/api/fake_engine.h"
#include "tests/unit/unit.h"

static struct json_doc golden(const char *name)
{
    cleanup_free char *path = str_printf(TEST_DATA "/golden/%s", name);
    cleanup_buf struct buf text = BUF_INIT(1 << 20);
    struct json_doc doc = {0};

    assert_ok(fs_read(path, &text, &e));
    assert_ok(json_parse(text.data, text.len, &doc, &e));
    return doc;
}

static void compare(const struct json *want, const struct json *got, const char *path)
{
    cleanup_buf struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20);

    if (json_typeof(want) != json_typeof(got)) {
        json_text(want, &a);
        json_text(got, &b);
        fail_msg("%s: want %s, got %s", path, a.data, b.data);
    }
    if (json_typeof(want) == JSON_OBJECT) {
        struct json_iter it = json_iter(want), back = json_iter(got);

        while (json_next(&it)) {
            cleanup_free char *deeper = str_printf("%s.%s", path, it.key);
            struct json other = json_get(got, it.key);

            if (!json_has(got, it.key))
                fail_msg("%s is missing", deeper);
            compare(&it.value, &other, deeper);
        }
        while (json_next(&back))
            if (!json_has(want, back.key))
                fail_msg("%s.%s should not be there", path, back.key);
        return;
    }
    if (json_typeof(want) == JSON_ARRAY) {
        if (json_len(want) != json_len(got))
            fail_msg("%s has %zu items, not %zu", path, json_len(got), json_len(want));
        for (size_t i = 0; i < json_len(want); i++) {
            cleanup_free char *deeper = str_printf("%s[%zu]", path, i);
            struct json x = json_at(want, i), y = json_at(got, i);

            compare(&x, &y, deeper);
        }
        return;
    }
    json_text(want, &a);
    json_text(got, &b);
    if (strcmp(a.data, b.data) != 0)
        fail_msg("%s: want %s, got %s", path, a.data, b.data);
}

static void compare_text(const struct json *want, const struct buf *text)
{
    cleanup_json struct json_doc doc = {0};
    struct json root;

    assert_false(text->overflow);
    assert_ok(json_parse(text->data, text->len, &doc, &e));
    root = json_root(&doc);
    compare(want, &root, "");
}

/* ------------------------------------------------- objects from golden text */

static int64_t time_of(const struct json *j, const char *key)
{
    int64_t ns = TIME_ZERO;

    assert_ok(time_parse(json_get_str(j, key), &ns, &e));
    return ns;
}

static void read_endpoints(struct container *c, const struct json *networks)
{
    struct json_iter it = json_iter(networks);
    struct container_state *s = &c->state;

    s->endpoints = xcalloc(json_len(networks), sizeof(*s->endpoints));
    while (json_next(&it)) {
        struct endpoint *ep = &s->endpoints[s->n_endpoints++];
        struct json names = json_get(&it.value, "DNSNames");

        ep->network_name = xstrdup(it.key);
        ep->network_id = xstrdup(json_get_str(&it.value, "NetworkID"));
        ep->id = xstrdup(json_get_str(&it.value, "EndpointID"));
        ep->ipv4 = xstrdup(json_get_str(&it.value, "IPAddress"));
        ep->gateway = xstrdup(json_get_str(&it.value, "Gateway"));
        ep->mac = xstrdup(json_get_str(&it.value, "MacAddress"));
        ep->prefix_len = json_get_i64(&it.value, "IPPrefixLen");
        assert_ok(json_strv(&names, &ep->dns_names, &e));
    }
}

static void read_ports(struct container *c, const struct json *ports)
{
    struct container_state *s = &c->state;
    struct json_iter it = json_iter(ports);

    s->ports = xcalloc(16, sizeof(*s->ports));
    while (json_next(&it))
        for (size_t i = 0; i < json_len(&it.value); i++) {
            struct port_map *p = &s->ports[s->n_ports++];
            struct json b = json_at(&it.value, i);
            uint16_t last;

            assert_ok(port_parse(it.key, &p->port, &last, &p->proto, &e));
            str_set(&p->host_ip, json_get_str(&b, "HostIp"));
            p->host_port = (uint16_t)strtol(json_get_str(&b, "HostPort"), NULL, 10);
        }
}

/* Config, HostConfig and the aliases, as a client would have sent them. */
static void read_spec(struct container *c, const struct json *root, const char *aliases)
{
    struct json config = json_get(root, "Config"), host = json_get(root, "HostConfig");
    struct json net = json_get(&host, "NetworkMode");
    cleanup_buf struct buf body = BUF_INIT(1 << 20), h = BUF_INIT(1 << 20), n = BUF_INIT(1 << 20);
    cleanup_json struct json_doc doc = {0};
    struct json parsed;

    json_text(&config, &body);
    json_text(&host, &h);
    json_text(&net, &n);
    body.len--; /* the closing brace */
    buf_addf(&body, ",\"HostConfig\":%s", h.data);
    if (aliases)
        buf_addf(&body, ",\"NetworkingConfig\":{\"EndpointsConfig\":{%s:{\"Aliases\":%s}}}", n.data,
                 aliases);
    buf_addf(&body, "}");
    assert_ok(json_parse(body.data, body.len, &doc, &e));
    parsed = json_root(&doc);
    assert_ok(container_spec_decode(&parsed, c->spec, &e));
}

static struct container *container_of_golden(struct engine *g, const struct json *root)
{
    struct json state = json_get(root, "State"), net = json_get(root, "NetworkSettings");
    struct json networks = json_get(&net, "Networks"), ports = json_get(&net, "Ports");
    struct json own = json_get(&networks, "n1");
    struct container *c =
        fake_container(g, json_get_str(root, "Id"), json_get_str(root, "Name") + 1, STATUS_CREATED);

    container_spec_free(c->spec);
    c->spec = container_spec_new();
    read_spec(c, root, json_exists(&own) ? "[\"al\"]" : NULL);
    assert_ok(container_status_parse(json_get_str(&state, "Status"), &c->state.status));
    str_set(&c->image_id, json_get_str(root, "Image"));
    c->created_ns = time_of(root, "Created");
    c->state.pid = json_get_i64(&state, "Pid");
    c->state.exit_code = (int)json_get_i64(&state, "ExitCode");
    c->state.started_ns = time_of(&state, "StartedAt");
    c->state.finished_ns = time_of(&state, "FinishedAt");
    if (c->state.status != STATUS_CREATED)
        read_endpoints(c, &networks);
    read_ports(c, &ports);
    return c;
}

static struct codec codec_for(struct engine *g, int version)
{
    return (struct codec){.engine = g,
                          .version = version,
                          .now_ns = 1795501181 * NS_PER_SEC + 800 * NS_PER_MS,
                          .root_dir = "/data",
                          .exec_root = "/exec"};
}

static struct engine *engine_with_volumes(void)
{
    struct engine *g = fake_engine_new();

    fake_volume(g, "v1");
    fake_volume(g, "v2");
    return g;
}

/* ------------------------------------------------------------------- tests */

static void containers_are_inspected_as_dockerd_prints_them(void **state)
{
    static const struct {
        const char *file;
        int version;
    } rows[] = {
        {"inspect-q1.json",      51},
        {"inspect-q2.json",      51},
        {"inspect-q3.json",      51},
        {"inspect-q4.json",      51},
        {"inspect-q1-1.44.json", 44},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_buf struct buf out = BUF_INIT(1 << 20);
        cleanup_json struct json_doc doc = golden(rows[i].file);
        struct json root = json_root(&doc);
        struct engine *g = engine_with_volumes();
        struct jsonw w = JSONW_INIT(&out);
        struct codec k = codec_for(g, rows[i].version);

        container_write_inspect(&w, &k, container_of_golden(g, &root));
        compare_text(&root, &out);
        fake_engine_free(g);
    }
}

static void containers_are_listed_as_dockerd_prints_them(void **state)
{
    static const char *const files[] = {"inspect-q4.json", "inspect-q3.json", "inspect-q2.json",
                                        "inspect-q1.json"};
    cleanup_buf struct buf out = BUF_INIT(1 << 20);
    cleanup_json struct json_doc list = golden("list.json");
    struct json root = json_root(&list);
    struct engine *g = engine_with_volumes();
    struct codec k = codec_for(g, 51);
    struct jsonw w = JSONW_INIT(&out);

    (void)state;
    jsonw_arr(&w);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        cleanup_json struct json_doc doc = golden(files[i]);
        struct json one = json_root(&doc);

        container_write_summary(&w, &k, container_of_golden(g, &one), "busybox");
    }
    jsonw_end_arr(&w);
    compare_text(&root, &out);
    fake_engine_free(g);
}

static void networks_are_printed_as_dockerd_prints_them(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(1 << 20);
    cleanup_json struct json_doc doc = golden("network-n1.json"), q1 = golden("inspect-q1.json");
    struct json root = json_root(&doc), q1_root = json_root(&q1);
    struct engine *g = engine_with_volumes();
    struct container_list all = {0};
    struct jsonw w = JSONW_INIT(&out);
    struct network *n = fake_network(g, json_get_str(&root, "Id"), "n1");

    (void)state;
    n->created_ns = time_of(&root, "Created");
    n->enable_ipv4 = true;
    n->pools = xcalloc(1, sizeof(*n->pools));
    n->pools[0].subnet = xstrdup("172.18.0.0/16");
    n->pools[0].gateway = xstrdup("172.18.0.1");
    n->n_pools = 1;
    container_of_golden(g, &q1_root);
    containers_list(g, &all);
    network_write(&w, n, &all);
    compare_text(&root, &out);
    container_list_release(&all);
    fake_engine_free(g);
}

static void volumes_are_printed_as_dockerd_prints_them(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(1 << 20);
    cleanup_json struct json_doc doc = golden("volumes.json");
    struct json root = json_root(&doc), list = json_get(&root, "Volumes");
    struct engine *g = engine_with_volumes();
    struct jsonw w = JSONW_INIT(&out);

    (void)state;
    kvs_set(&g->volumes[0]->labels, "x", "y");
    jsonw_arr(&w);
    for (size_t i = 0; i < 2; i++) {
        struct json one = json_at(&list, i);

        g->volumes[i]->created_ns = time_of(&one, "CreatedAt") + 123;
        volume_write(&w, g->volumes[i], -1, 0);
    }
    jsonw_end_arr(&w);
    compare_text(&list, &out);
    fake_engine_free(g);
}

static struct image *image_of_golden(struct engine *g, const struct json *root)
{
    struct json config = json_get(root, "Config"), fs = json_get(root, "RootFS");
    struct json layers = json_get(&fs, "Layers"), meta = json_get(root, "Metadata");
    struct image *i = fake_image(g, json_get_str(root, "Id"), "busybox:latest");

    if (!i->config)
        i->config = container_spec_new();
    assert_ok(container_spec_decode(&config, i->config, &e));
    assert_ok(json_strv(&layers, &i->diff_ids, &e));
    i->created_ns = time_of(root, "Created");
    i->last_tag_ns = time_of(&meta, "LastTagTime");
    i->size = json_get_i64(root, "Size");
    str_set(&i->comment, json_get_str(root, "Comment"));
    str_set(&i->architecture, json_get_str(root, "Architecture"));
    str_set(&i->os, json_get_str(root, "Os"));
    return i;
}

static void images_are_printed_as_dockerd_prints_them(void **state)
{
    static const struct {
        const char *inspect, *list;
        int version;
    } rows[] = {
        {"image-1.51.json", "images-1.51.json", 51},
        {"image-1.40.json", "images-1.40.json", 40},
    };

    (void)state;
    for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
        cleanup_buf struct buf out = BUF_INIT(1 << 20), list_out = BUF_INIT(1 << 20);
        cleanup_json struct json_doc doc = golden(rows[r].inspect), list = golden(rows[r].list);
        struct json root = json_root(&doc), list_root = json_root(&list);
        struct engine *g = fake_engine_new();
        struct image *i = image_of_golden(g, &root);
        struct jsonw w = JSONW_INIT(&out), lw = JSONW_INIT(&list_out);

        image_write_inspect(&w, i, rows[r].version, "overlay2");
        compare_text(&root, &out);
        jsonw_arr(&lw);
        image_write_summary(&lw, i, NULL, NULL, rows[r].version, 4, -1);
        jsonw_end_arr(&lw);
        compare_text(&list_root, &list_out);
        fake_engine_free(g);
    }
}

static void dangling_images_have_no_tags_or_none(void **state)
{
    cleanup_buf struct buf old = BUF_INIT(4096), new = BUF_INIT(4096);
    struct engine *g = fake_engine_new();
    struct image *i = fake_image(g, "sha256:1", NULL);
    struct jsonw ow = JSONW_INIT(&old), nw = JSONW_INIT(&new);

    (void)state;
    image_write_summary(&ow, i, NULL, NULL, 42, 0, -1);
    assert_non_null(strstr(old.data, "\"RepoTags\":[\"<none>:<none>\"]"));
    assert_non_null(strstr(old.data, "\"RepoDigests\":[\"<none>@<none>\"]"));
    image_write_summary(&nw, i, NULL, NULL, 43, 0, -1);
    assert_non_null(strstr(new.data, "\"RepoTags\":[]"));
    assert_non_null(strstr(new.data, "\"RepoDigests\":[]"));
    fake_engine_free(g);
}

static void status_texts_are_dockers(void **state)
{
    static const struct {
        enum container_status status;
        const char *health;
        int64_t seconds;
        int exit_code;
        const char *text;
    } rows[] = {
        {STATUS_RUNNING,    "",          3,    0,   "Up 3 seconds"                        },
        {STATUS_RUNNING,    "",          0,    0,   "Up Less than a second"               },
        {STATUS_RUNNING,    "starting",  70,   0,   "Up About a minute (health: starting)"},
        {STATUS_RUNNING,    "healthy",   7300, 0,   "Up 2 hours (healthy)"                },
        {STATUS_RUNNING,    "unhealthy", 60,   0,   "Up About a minute (unhealthy)"       },
        {STATUS_PAUSED,     "healthy",   5,    0,   "Up 5 seconds (Paused)"               },
        {STATUS_RESTARTING, "",          4,    1,   "Restarting (1) 4 seconds ago"        },
        {STATUS_EXITED,     "",          120,  137, "Exited (137) 2 minutes ago"          },
        {STATUS_REMOVING,   "",          1,    0,   "Removal In Progress"                 },
        {STATUS_DEAD,       "",          1,    0,   "Dead"                                },
        {STATUS_CREATED,    "",          1,    127, "Created"                             },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct engine *g = fake_engine_new();
        struct container *c = fake_container(g, "1", "x", rows[i].status);
        int64_t now = 5000 * NS_PER_SEC;
        char text[128];

        str_set(&c->state.health, rows[i].health);
        c->state.exit_code = rows[i].exit_code;
        if (rows[i].status != STATUS_CREATED)
            c->state.started_ns = c->state.finished_ns = now - rows[i].seconds * NS_PER_SEC;
        container_status_text(c, now, text, sizeof(text));
        assert_string_equal(text, rows[i].text);
        fake_engine_free(g);
    }
}

static void events_carry_the_keys_of_old_clients(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(4096);
    cleanup_event struct event ev = {0};
    struct jsonw w = JSONW_INIT(&out);

    (void)state;
    event_init(&ev, "container", "die", "abc");
    ev.time_ns = 1795501181055151076;
    kvs_set(&ev.attributes, "image", "busybox");
    kvs_set(&ev.attributes, "exitCode", "3");
    event_write(&w, &ev);
    assert_string_equal(
        out.data,
        "{\"status\":\"die\",\"id\":\"abc\",\"from\":\"busybox\",\"Type\":\"container\","
        "\"Action\":\"die\",\"Actor\":{\"ID\":\"abc\",\"Attributes\":{\"image\":\"busybox\","
        "\"exitCode\":\"3\"}},\"scope\":\"local\",\"time\":1795501181,\"timeNano\":"
        "1795501181055151076}");
}

static void an_exec_without_an_exit_has_null(void **state)
{
    cleanup_buf struct buf out = BUF_INIT(4096);
    struct jsonw w = JSONW_INIT(&out);
    struct exec_info x = {.container_id = xstrdup("c1"), .running = true, .pid = 7};

    (void)state;
    strv_add(&x.spec.argv, "ls");
    strv_add(&x.spec.argv, "-l");
    x.spec.attach_stdout = true;
    exec_write(&w, "e1", &x);
    assert_string_equal(
        out.data, "{\"ID\":\"e1\",\"Running\":true,\"ExitCode\":null,\"ProcessConfig\":{\"tty\":"
                  "false,\"entrypoint\":\"ls\",\"arguments\":[\"-l\"],\"privileged\":false},"
                  "\"OpenStdin\":false,\"OpenStderr\":false,\"OpenStdout\":true,\"CanRemove\":false"
                  ",\"ContainerID\":\"c1\",\"DetachKeys\":\"\",\"Pid\":7}");
    exec_info_release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(containers_are_inspected_as_dockerd_prints_them),
        cmocka_unit_test(containers_are_listed_as_dockerd_prints_them),
        cmocka_unit_test(networks_are_printed_as_dockerd_prints_them),
        cmocka_unit_test(volumes_are_printed_as_dockerd_prints_them),
        cmocka_unit_test(images_are_printed_as_dockerd_prints_them),
        cmocka_unit_test(dangling_images_have_no_tags_or_none),
        cmocka_unit_test(status_texts_are_dockers),
        cmocka_unit_test(events_carry_the_keys_of_old_clients),
        cmocka_unit_test(an_exec_without_an_exit_has_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
