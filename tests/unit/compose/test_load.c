#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/time.h"
#include "compose/compose.h"
#include "core/container.h"
#include "core/network.h"
#include "core/volume.h"
#include "tests/unit/unit.h"

static struct app *load(const char *text)
{
    struct app *app = NULL;
    cleanup_kvs struct kvs env = {0};

    kvs_set(&env, "TAG", "1.2");
    kvs_set(&env, "TOKEN", "t0p");
    assert_ok(compose_load_text(text, strlen(text), "c.yaml", "shop", &env, &app, &e));
    return app;
}

/* The indented body of the service `web`, whose image is given. */
static struct app *load_web(const char *body)
{
    cleanup_free char *text = str_printf("services:\n  web:\n    image: x\n%s\n%s", body,
                                         strstr(body, "data") ? "volumes: {data: }\n" : "");

    return load(text);
}

static void fails(const char *text, const char *message)
{
    struct app *app = NULL;
    struct err e = ERR_INIT;

    if (!compose_load_text(text, strlen(text), "c.yaml", "shop", NULL, &app, &e))
        fail_msg("accepted: %s", text);
    assert_string_equal(e.msg, message);
    assert_null(app);
}

static void web_fails(const char *body, const char *message)
{
    cleanup_free char *text = str_printf("services:\n  web:\n    image: x\n%s\n", body);

    fails(text, message);
}

static const struct container_spec *web(const struct app *app)
{
    return app_find_service(app, "web")->spec;
}

static const char *notices(const struct app *app)
{
    static char out[4096];
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < app->n_notices; i++) {
        const struct app_notice *x = &app->notices[i];

        n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%u:%u %d %s %s\n", "", x->pos.line,
                              x->pos.column, x->level, x->service, x->key);
    }
    return out;
}

/* ------------------------------------------------------------------- whole */

static void a_small_app_has_all_names_and_labels(void **state)
{
    cleanup_app struct app *app = load("services:\n"
                                       "  web:\n"
                                       "    image: web:${TAG}\n"
                                       "    ports: [\"8080:80\"]\n"
                                       "    depends_on: [db]\n"
                                       "  db:\n"
                                       "    image: db\n"
                                       "    volumes: [\"data:/var/lib/db\"]\n"
                                       "volumes:\n"
                                       "  data:\n");
    const struct container_spec *s = web(app);

    (void)state;
    assert_string_equal(app->name, "shop");
    assert_int_equal(app->n_services, 2);
    assert_int_equal(app->n_notices, 0);
    assert_string_equal(s->image, "web:1.2");
    assert_string_equal(app->services[0].depends[0].service, "db");
    assert_int_equal(app->services[0].pos.line, 2);
    assert_int_equal(app->services[0].pos.column, 3);
    assert_int_equal(app->n_networks, 1);
    assert_string_equal(app->networks[0].net->name, "shop_default");
    assert_string_equal(app->networks[0].net->driver, "bridge");
    assert_string_equal(kvs_get(&app->networks[0].net->labels, "com.docker.compose.network"),
                        "default");
    assert_string_equal(app->volumes[0].vol->name, "shop_data");
    assert_string_equal(kvs_get(&app->volumes[0].vol->labels, "com.docker.compose.volume"), "data");
    assert_string_equal(s->network_mode, "shop_default");
    assert_int_equal(s->n_endpoints, 1);
    assert_string_equal(s->endpoints[0].aliases.v[0], "shop-web-1");
    assert_string_equal(s->endpoints[0].aliases.v[1], "web");
    assert_string_equal(app_find_service(app, "db")->spec->mounts[0].source, "shop_data");
    static const char *const labels[][2] = {
        {"com.docker.compose.project",          "shop"                    },
        {"com.docker.compose.service",          "web"                     },
        {"com.docker.compose.container-number", "1"                       },
        {"com.docker.compose.oneoff",           "False"                   },
        {"com.docker.compose.depends_on",       "db:service_started:false"},
    };

    for (size_t i = 0; i < ARRAY_LEN(labels); i++)
        assert_string_equal(kvs_get(&s->labels, labels[i][0]), labels[i][1]);
    assert_int_equal(strlen(kvs_get(&s->labels, "com.docker.compose.config-hash")), 64);
    assert_int_equal(strlen(app->revision), 64);
}

static void the_same_meaning_has_the_same_revision(void **state)
{
    cleanup_app struct app *a = load_web("    environment: {B: 2, A: 1}\n"
                                         "    ports: [\"80:80\"]\n    volumes: [\"data:/d\"]\n");
    cleanup_app struct app *b =
        load_web("    volumes: [{type: volume, source: data, target: /d/}]\n"
                 "    ports: [{target: 80, published: 80}]\n    environment: [A=1, B=2]\n");
    cleanup_app struct app *c = load_web("    environment: {B: 2, A: 2}\n"
                                         "    ports: [\"80:80\"]\n    volumes: [\"data:/d\"]\n");

    (void)state;
    assert_string_equal(a->services[0].hash_d, b->services[0].hash_d);
    assert_string_equal(a->revision, b->revision);
    assert_string_not_equal(a->services[0].hash_d, c->services[0].hash_d);
}

static void unknown_keys_are_errors_with_a_place_and_a_guess(void **state)
{
    (void)state;
    web_fails("    prots: []", "c.yaml:4:5: services.web.prots: unknown key; did you mean ports?");
    web_fails("    zzzzzz: []", "c.yaml:4:5: services.web.zzzzzz: unknown key");
    web_fails(
        "    healthcheck: {test: x, intervall: 5s}",
        "c.yaml:4:28: services.web.healthcheck.intervall: unknown key; did you mean interval?");
    web_fails("    ports:\n      - target: 80\n        publish: 80",
              "c.yaml:6:9: services.web.ports[0].publish: unknown key; did you mean published?");
    web_fails("    deploy: {resources: {limits: {memroy: 5m}}}",
              "c.yaml:4:35: services.web.deploy.resources.limits.memroy: unknown key; did you mean "
              "memory?");
    web_fails("    x-ballast: {updat: 1}",
              "c.yaml:4:17: services.web.x-ballast.updat: unknown key; did you mean update?");
    fails("service: {}\n", "c.yaml:1:1: service: unknown key; did you mean services?");
    fails("networks: {a: {drivr: x}}\n",
          "c.yaml:1:16: networks.a.drivr: unknown key; did you mean driver?");
    fails("x-ballast: {prun: true}\n",
          "c.yaml:1:13: x-ballast.prun: unknown key; did you mean prune?");
}

static void extensions_are_left_alone(void **state)
{
    cleanup_app struct app *app = load("x-common: &c {restart: always, x-y: 1}\n"
                                       "x-env: &env {A: 1}\n"
                                       "services:\n"
                                       "  web: {<<: *c, image: x, environment: {<<: *env, B: 2}}\n"
                                       "  api: {<<: *c, image: y}\n");

    (void)state;
    assert_int_equal(web(app)->restart, RESTART_ALWAYS);
    assert_int_equal(web(app)->env.n, 2);
    assert_int_equal(app_find_service(app, "api")->spec->restart, RESTART_ALWAYS);
    assert_int_equal(app->n_notices, 0);
}

static void wrong_types_are_errors_with_a_place(void **state)
{
    static const char *const cases[][2] = {
        {"    privileged: maybe",
         "c.yaml:4:17: services.web.privileged: must be true or false, not \"maybe\""                                                             },
        {"    ports: {a: b}",                                                  "c.yaml:4:12: services.web.ports: must be a text or a list"        },
        {"    volumes: /a",                                                    "c.yaml:4:14: services.web.volumes: must be a list"                },
        {"    user: [1]",                                                      "c.yaml:4:11: services.web.user: must be a text, not a list"       },
        {"    mem_limit: lots",
         "c.yaml:4:16: services.web.mem_limit: invalid size: invalid size: 'lots'"                                                                },
        {"    pids_limit: 1.5",
         "c.yaml:4:17: services.web.pids_limit: must be a whole number, not \"1.5\""                                                              },
        {"    stop_grace_period: soon",
         "c.yaml:4:24: services.web.stop_grace_period: invalid duration: invalid duration "
         "\"soon\""                                                                                                                               },
        {"    stop_signal: SIGFOO",
         "c.yaml:4:18: services.web.stop_signal: \"SIGFOO\" is no signal"                                                                         },
        {"    restart: sometimes",
         "c.yaml:4:14: services.web.restart: must be no, always, unless-stopped or "
         "on-failure[:N], not \"sometimes\""                                                                                                      },
        {"    restart: always:3",
         "c.yaml:4:14: services.web.restart: must be no, always, unless-stopped or "
         "on-failure[:N], not \"always:3\""                                                                                                       },
        {"    cpus: many",
         "c.yaml:4:11: services.web.cpus: must be a number of CPUs like 0.5, not \"many\""                                                        },
        {"    environment: [=x]",
         "c.yaml:4:19: services.web.environment[0]: the name in front of the = is missing"                                                        },
        {"    environment: {A: {b: c}}",                                       "c.yaml:4:22: services.web.environment.A: must be a text"          },
        {"    environment: [NOPE]",
         "c.yaml:4:19: services.web.environment[0]: NOPE has no value here and the variable is "
         "not set"                                                                                                                                },
        {"    depends_on: {db: {condition: later}}",
         "c.yaml:4:34: services.web.depends_on.db.condition: must be service_started, "
         "service_healthy or service_completed_successfully, not \"later\""                                                                       },
        {"    command: 'a \"b'",                                               "c.yaml:4:14: services.web.command: the quote \" is never closed"  },
        {"    image2: y",                                                      "c.yaml:4:5: services.web.image2: unknown key; did you mean image?"},
        {"    extends: {service: a}",                                          "c.yaml:4:5: services.web.extends: is not supported yet"           },
        {"    volumes_from: [a]",                                              "c.yaml:4:5: services.web.volumes_from: is not supported yet"      },
        {"    container_name: a b",
         "c.yaml:4:21: services.web.container_name: \"a b\" is no valid name of a container"                                                      },
        {"    mem_limit: 1g\n    deploy: {resources: {limits: {memory: 2g}}}",
         "c.yaml:3:5: services.web: mem_limit and deploy.resources.limits.memory differ"                                                          },
        {"    env_file: a.env",
         "c.yaml:4:15: services.web.env_file: \"a.env\" is relative, but there is no project "
         "directory"                                                                                                                              },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        web_fails(cases[i][0], cases[i][1]);
}

static void whole_files_that_are_wrong(void **state)
{
    (void)state;
    fails("", "c.yaml:1:1: the file is empty");
    fails("- a\n", "c.yaml:1:1: must be a mapping with `services:`");
    fails("version: '3'\n", "c.yaml:1:1: no service is defined");
    fails("services: {web: {command: x}}\n", "c.yaml:1:12: services.web: image is missing");
    fails("services: {web: {build: .}}\n",
          "c.yaml:1:12: services.web: images cannot be built yet; image must name one");
    fails("services: {\"a b\": {image: x}}\n",
          "c.yaml:1:12: services.a b: is no valid name of a service");
    fails("services: {web: }\n", "c.yaml:1:12: services.web: has no content");
    fails("include: [a.yaml]\nservices: {a: {image: b}}\n",
          "c.yaml:1:1: include: is not supported yet");
    fails("services:\n  web:\n    image: x:$NOPE\n",
          "c.yaml:3:12: services.web.image: variable NOPE is not set and has no default; write "
          "${NOPE:-} for an empty one");
    fails("services:\n  a: {image: x, container_name: n1}\n  b: {image: x, container_name: n1}\n",
          "c.yaml:3:33: services.b.container_name: n1 is the container of service a already");
    fails("services:\n  a: {image: x, ports: ['80:80']}\n  b: {image: x, ports: ['1', "
          "'127.0.0.1:80:81']}\n",
          "c.yaml:3:30: services.b.ports: port 80/tcp of the host is taken by service a");
}

/* ------------------------------------------------------------ dependencies */

static void dependencies_must_exist_and_end(void **state)
{
    (void)state;
    fails("services:\n  web: {image: x, depends_on: [db]}\n  dbs: {image: y}\n",
          "c.yaml:2:32: services.web.depends_on[0]: there is no service db; did you mean dbs?");
    fails("services:\n  web:\n    image: x\n    depends_on:\n      nothing: {condition: "
          "service_started}\n",
          "c.yaml:5:7: services.web.depends_on: there is no service nothing");
    fails("services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [c]}\n"
          "  c: {image: x, depends_on: [b]}\n",
          "c.yaml:3:29: services.b.depends_on: a cycle: b -> c -> b");
    fails("services:\n  a: {image: x, network_mode: 'service:b'}\n",
          "c.yaml:2:3: services.a: needs service b, which is not there");
}

static void dependencies_long_form_and_implied_ones(void **state)
{
    cleanup_app struct app *app =
        load("services:\n"
             "  a: {image: x, depends_on: {b: {condition: service_healthy, restart: true},"
             " z: {condition: service_started, required: false}}}\n"
             "  b: {image: x, network_mode: 'service:c', ipc: 'service:d'}\n"
             "  c: {image: x, links: ['d:alias'], container_name: see}\n"
             "  d: {image: x, ipc: host, networks: [n]}\n"
             "networks: {n: }\n");
    const struct app_service *a = app_find_service(app, "a"), *b = app_find_service(app, "b");

    (void)state;
    assert_int_equal(a->n_depends, 1);
    assert_int_equal(a->depends[0].condition, DEPENDS_HEALTHY);
    assert_true(a->depends[0].restart);
    assert_int_equal(b->n_depends, 2);
    assert_string_equal(b->depends[0].service, "c");
    assert_string_equal(b->spec->network_mode, "container:see");
    assert_int_equal(b->spec->n_endpoints, 0);
    assert_string_equal(b->spec->ipc_mode, "container:shop-d-1");
}

static void profiles_choose_services(void **state)
{
    static const char text[] = "services:\n"
                               "  a: {image: x}\n"
                               "  b: {build: ., profiles: [debug]}\n"
                               "  c: {image: x, scale: 0}\n";
    cleanup_app struct app *app = load(text);

    (void)state;
    assert_int_equal(app->n_services, 1);
    assert_non_null(strstr(notices(app), "0 b profiles"));
    assert_non_null(strstr(notices(app), "0 c scale"));
    fails("services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, profiles: [p]}\n",
          "c.yaml:2:29: services.a: depends on b, which is left out by its profiles or scale");
}

/* -------------------------------------------------------------- the subjects */

static void ports_short_and_long(void **state)
{
    cleanup_app struct app *app = load_web("    ports:\n"
                                           "      - 80\n"
                                           "      - \"8080:81\"\n"
                                           "      - \"127.0.0.1:8081:82/udp\"\n"
                                           "      - \"127.0.0.1::83\"\n"
                                           "      - \"3000-3002:4000-4002\"\n"
                                           "      - \"9000-9010:90\"\n"
                                           "      - \"[::1]:5000:50\"\n"
                                           "      - {target: 60, published: \"6000\", host_ip: "
                                           "10.0.0.1, protocol: tcp, mode: host}\n"
                                           "    expose: [\"7\", 8-9/udp]\n");
    const struct container_spec *s = web(app);
    static const struct {
        unsigned port, host, end;
        const char *ip;
        enum proto proto;
    } want[] = {
        {80,   0,    0,    NULL,        PROTO_TCP},
        {81,   8080, 0,    NULL,        PROTO_TCP},
        {82,   8081, 0,    "127.0.0.1", PROTO_UDP},
        {83,   0,    0,    "127.0.0.1", PROTO_TCP},
        {4000, 3000, 0,    NULL,        PROTO_TCP},
        {4001, 3001, 0,    NULL,        PROTO_TCP},
        {4002, 3002, 0,    NULL,        PROTO_TCP},
        {90,   9000, 9010, NULL,        PROTO_TCP},
        {50,   5000, 0,    "::1",       PROTO_TCP},
        {60,   6000, 0,    "10.0.0.1",  PROTO_TCP},
    };

    (void)state;
    assert_int_equal(s->n_ports, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_int_equal(s->ports[i].port, want[i].port);
        assert_int_equal(s->ports[i].host_port, want[i].host);
        assert_int_equal(s->ports[i].host_port_end, want[i].end);
        assert_int_equal(s->ports[i].proto, want[i].proto);
        assert_true(str_eq(s->ports[i].host_ip, want[i].ip));
    }
    assert_int_equal(s->n_exposed, ARRAY_LEN(want) + 3);
}

static void bad_ports(void **state)
{
    static const char *const cases[][2] = {
        {"    ports: ['x']",
         "c.yaml:4:13: services.web.ports[0]: \"x\" is no port or range of ports between 1 and "
         "65535"                                                                                  },
        {"    ports: ['80:70000']",
         "c.yaml:4:13: services.web.ports[0]: \"70000\" is no port or range of ports between 1 "
         "and 65535"                                                                              },
        {"    ports: ['1-3:5-6']",
         "c.yaml:4:13: services.web.ports[0]: the ranges 1-3 and 5-6 differ in length"            },
        {"    ports: ['9-3']",
         "c.yaml:4:13: services.web.ports[0]: the range \"9-3\" ends before it begins"            },
        {"    ports: ['80/http']",
         "c.yaml:4:13: services.web.ports[0]: unknown protocol \"http\"; must be tcp, udp or sctp"},
        {"    ports: ['1-65535:1-65535']",
         "c.yaml:4:13: services.web.ports[0]: more than 4096 ports"                               },
        {"    ports: [{published: 80}]",
         "c.yaml:4:13: services.web.ports[0]: the port in the container (target) is missing"      },
        {"    ports: [':80']",
         "c.yaml:4:13: services.web.ports[0]: \"\" is no port or range of ports between 1 and "
         "65535"                                                                                  },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases) - 1; i++)
        web_fails(cases[i][0], cases[i][1]);
}

static void volumes_short_and_long(void **state)
{
    cleanup_app struct app *app =
        load_web("    volumes:\n"
                 "      - /anon\n"
                 "      - data:/data/:ro,nocopy\n"
                 "      - /host/x/../y:/bind:rshared\n"
                 "      - {type: bind, source: /a, target: /b, read_only: true, bind: {propagation:"
                 " rslave}}\n"
                 "      - {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 1777}}\n"
                 "      - {type: volume, source: data, target: /v, volume: {nocopy: true, subpath:"
                 " s}}\n"
                 "    tmpfs: [\"/run:size=64m\", /tmp]\n");
    const struct container_spec *s = web(app);

    (void)state;
    assert_int_equal(s->n_mounts, 8);
    assert_true(s->mounts[0].anonymous);
    assert_string_equal(s->mounts[0].source, "");
    assert_string_equal(s->mounts[1].source, "shop_data");
    assert_string_equal(s->mounts[1].target, "/data");
    assert_true(s->mounts[1].read_only && s->mounts[1].no_copy);
    assert_int_equal(s->mounts[2].type, MOUNT_BIND);
    assert_string_equal(s->mounts[2].source, "/host/y");
    assert_string_equal(s->mounts[2].propagation, "rshared");
    assert_true(s->mounts[2].create_host_path);
    assert_true(s->mounts[3].read_only);
    assert_false(s->mounts[3].create_host_path);
    assert_string_equal(s->mounts[4].tmpfs_options, "size=1048576,mode=1777");
    assert_string_equal(s->mounts[5].subpath, "s");
    assert_int_equal(s->mounts[6].type, MOUNT_TMPFS);
    assert_string_equal(s->mounts[6].tmpfs_options, "size=64m");
    assert_string_equal(s->mounts[7].target, "/tmp");
}

static void a_volume_of_one_letter_is_no_drive(void **state)
{
    cleanup_app struct app *app =
        load("services: {web: {image: x, volumes: ['v:/a', 'v:/b:ro', 'c:/x:/y']}}\n"
             "volumes: {v: }\n");
    const struct container_spec *s = web(app);

    (void)state;
    assert_string_equal(s->mounts[0].source, "shop_v");
    assert_string_equal(s->mounts[1].target, "/b");
    assert_string_equal(s->mounts[2].source, "c:/x");
}

static void bad_volumes(void **state)
{
    (void)state;
    web_fails("    volumes: ['dta:/x']\nvolumes: {data: }",
              "c.yaml:4:15: services.web.volumes: dta is not among the top-level volumes; did you "
              "mean data?");
    web_fails("    volumes: ['./x:/y']", "c.yaml:4:15: services.web.volumes[0]: \"./x\" is "
                                         "relative, but there is no project directory");
    web_fails("    volumes: ['/x:y']",
              "c.yaml:4:15: services.web.volumes[0]: the target \"y\" is not an absolute path");
    web_fails("    volumes: ['/x:/y', '/z:/y/']",
              "c.yaml:4:24: services.web.volumes[1]: the target /y is used twice, first on line 4");
    web_fails("    volumes: ['/x:/y:rx']",
              "c.yaml:4:15: services.web.volumes[0]: unknown mode \"rx\" of a volume");
    web_fails("    volumes: [{type: npipe, target: /x}]",
              "c.yaml:4:15: services.web.volumes[0]: mounts of type \"npipe\" cannot be made here; "
              "there are bind, volume, tmpfs and image");
    web_fails("    volumes: ['~/x:/y']",
              "c.yaml:4:15: services.web.volumes[0]: \"~/x\": ~ is nobody's here; write the whole "
              "path");
}

static void networks_of_services(void **state)
{
    cleanup_app struct app *app =
        load("services:\n"
             "  a: {image: x, networks: [front, back]}\n"
             "  b: {image: x, networks: {back: {aliases: [db, b], ipv4_address: 10.1.0.5,"
             " priority: 5}, front: }}\n"
             "  c: {image: x, network_mode: none}\n"
             "networks:\n"
             "  front: {external: true, name: public}\n"
             "  back: {driver: bridge, internal: true, labels: {a: b}, driver_opts: {o: 1},"
             " ipam: {config: [{subnet: 10.1.0.0/24, gateway: 10.1.0.1}]}}\n"
             "  spare: {}\n");
    const struct app_service *a = app_find_service(app, "a"), *b = app_find_service(app, "b");

    (void)state;
    assert_int_equal(app->n_networks, 2);
    assert_true(app_find_network(app, "front")->external);
    assert_string_equal(app_find_network(app, "front")->net->name, "public");
    const struct network *back = app_find_network(app, "back")->net;

    assert_true(back->internal);
    assert_string_equal(back->pools[0].subnet, "10.1.0.0/24");
    assert_string_equal(kvs_get(&back->options, "o"), "1");
    assert_string_equal(a->networks.v[0], "back"); /* by name, as Compose orders them */
    assert_string_equal(b->networks.v[0], "back");
    const struct endpoint_config *ep = &b->spec->endpoints[0];

    assert_string_equal(ep->network, "shop_back");
    assert_string_equal(ep->ipv4, "10.1.0.5");
    assert_int_equal(ep->aliases.n, 3);
    assert_string_equal(ep->aliases.v[2], "db");
    assert_string_equal(app_find_service(app, "c")->spec->network_mode, "none");
    assert_non_null(strstr(notices(app), "networks.spare"));
    fails("services: {a: {image: x, networks: [frnt]}}\nnetworks: {front: }\n",
          "c.yaml:1:37: services.a.networks: frnt is not among the top-level networks; did you "
          "mean front?");
    fails("services: {a: {image: x, network_mode: host, networks: [n]}}\nnetworks: {n: }\n",
          "c.yaml:1:40: services.a.network_mode: networks cannot be given as well");
    fails("services: {a: {image: x}}\nnetworks: {n: {external: true, driver: x}}\n",
          "c.yaml:2:32: networks.n.driver: has no meaning for what is external");
}

static void settings_of_one_service(void **state)
{
    cleanup_app struct app *app =
        load_web("    command: sh -c \"echo $$HOME\"\n"
                 "    entrypoint: []\n"
                 "    environment: [A=1, TOKEN, B=x=y]\n"
                 "    labels: [a=b, c]\n"
                 "    hostname: h\n    user: 1000\n    working_dir: /w\n"
                 "    healthcheck: {test: [CMD, x], interval: 90s, retries: 3}\n"
                 "    restart: on-failure:5\n"
                 "    read_only: true\n    init: true\n    tty: yes\n"
                 "    cap_add: [NET_ADMIN]\n    cap_drop: [ALL]\n"
                 "    mem_limit: 64m\n    cpus: 0.5\n    pids_limit: 100\n"
                 "    ulimits: {nofile: 1024, nproc: {soft: 5, hard: 6}}\n"
                 "    sysctls: {net.core.somaxconn: 1024}\n"
                 "    dns: 1.1.1.1\n    extra_hosts: {db: 10.0.0.5}\n"
                 "    devices: [\"/dev/null:/dev/x:r\"]\n"
                 "    stop_signal: SIGINT\n    stop_grace_period: 1m30s\n"
                 "    logging: {driver: json-file, options: {max-size: 1m}}\n"
                 "    pull_policy: if_not_present\n    group_add: [5]\n");
    const struct container_spec *s = web(app);

    (void)state;
    assert_int_equal(s->cmd.n, 3);
    assert_string_equal(s->cmd.v[2], "echo $HOME");
    assert_true(s->entrypoint_set && s->entrypoint.n == 0);
    assert_string_equal(s->env.v[0], "A=1");
    assert_string_equal(s->env.v[1], "B=x=y");
    assert_string_equal(s->env.v[2], "TOKEN=t0p");
    assert_string_equal(kvs_get(&s->labels, "c"), "");
    assert_string_equal(s->user, "1000");
    assert_true(s->health.set);
    assert_int_equal(s->health.interval_ns, 90 * NS_PER_SEC);
    assert_int_equal(s->restart, RESTART_ON_FAILURE);
    assert_int_equal(s->restart_max, 5);
    assert_true(s->readonly_rootfs && s->init && s->tty);
    assert_int_equal(s->memory, 64 << 20);
    assert_int_equal(s->nano_cpus, 500000000);
    assert_int_equal(s->n_ulimits, 2);
    assert_int_equal(s->ulimits[1].hard, 6);
    assert_string_equal(s->extra_hosts.v[0], "db:10.0.0.5");
    assert_string_equal(s->devices[0].permissions, "r");
    assert_int_equal(s->stop_timeout_s, 90);
    assert_string_equal(app->services[0].pull_policy, "missing");
    assert_string_equal(kvs_get(&s->log_opts, "max-size"), "1m");
    assert_non_null(strstr(notices(app), "0 web tty")); /* yes is not standard */
}

static void deploy_means_what_the_specification_says(void **state)
{
    cleanup_app struct app *app = load_web(
        "    deploy:\n"
        "      replicas: 3\n"
        "      restart_policy: {condition: on-failure, max_attempts: 4, delay: 5s, window: 1m}\n"
        "      resources:\n"
        "        limits: {cpus: '1.5', memory: 1g, pids: 50}\n"
        "        reservations: {memory: 512m}\n"
        "      update_config: {order: start-first}\n");
    const struct container_spec *s = web(app);

    (void)state;
    assert_int_equal(s->restart, RESTART_ON_FAILURE);
    assert_int_equal(s->restart_max, 4);
    assert_int_equal(s->restart_delay_ns, 5 * NS_PER_SEC);
    assert_int_equal(s->restart_window_ns, 60 * NS_PER_SEC);
    assert_int_equal(s->nano_cpus, 1500000000);
    assert_int_equal(s->memory, 1 << 30);
    assert_int_equal(s->memory_reservation, 512 << 20);
    assert_int_equal(s->pids_limit, 50);
    assert_string_equal(notices(app), "5:7 1 web deploy.replicas\n"
                                      "10:7 1 web deploy.update_config\n");
}

static void what_is_not_applied_is_noticed(void **state)
{
    cleanup_app struct app *app = load_web("    gpus: all\n    attach: false\n"
                                           "    post_start: [{command: x}]\n"
                                           "    build: .\n"
                                           "    x-ballast: {on_change: x}");

    (void)state;
    assert_string_equal(notices(app), "4:5 2 web gpus\n5:5 0 web attach\n6:5 1 web post_start\n"
                                      "7:5 1 web build\n8:17 1 web x-ballast.on_change\n");
}

/* Docker's own policies have no maximum but for on-failure, so this one is kept apart. */
static void a_maximum_holds_for_restarts_of_any_kind(void **state)
{
    cleanup_app struct app *app =
        load_web("    deploy:\n"
                 "      restart_policy: {condition: any, max_attempts: 3}\n");

    (void)state;
    assert_int_equal(web(app)->restart, RESTART_ALWAYS);
    assert_int_equal(web(app)->restart_max, 0);
    assert_int_equal(web(app)->restart_attempts, 3);
}

static void the_action_on_unhealthy_becomes_a_label(void **state)
{
    cleanup_app struct app *app = load_web("    x-ballast: {on_unhealthy: restart}\n");
    cleanup_app struct app *none = load_web("    x-ballast: {on_unhealthy: none}\n");

    (void)state;
    assert_string_equal(kvs_get(&web(app)->labels, "ballast.on-unhealthy"), "restart");
    assert_null(kvs_get(&web(none)->labels, "ballast.on-unhealthy"));
    web_fails("    x-ballast: {on_unhealthy: reboot}\n",
              "c.yaml:4:31: services.web.x-ballast.on_unhealthy: must be restart or none, not "
              "\"reboot\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_app_has_all_names_and_labels),
        cmocka_unit_test(the_same_meaning_has_the_same_revision),
        cmocka_unit_test(unknown_keys_are_errors_with_a_place_and_a_guess),
        cmocka_unit_test(extensions_are_left_alone),
        cmocka_unit_test(wrong_types_are_errors_with_a_place),
        cmocka_unit_test(whole_files_that_are_wrong),
        cmocka_unit_test(dependencies_must_exist_and_end),
        cmocka_unit_test(dependencies_long_form_and_implied_ones),
        cmocka_unit_test(profiles_choose_services),
        cmocka_unit_test(ports_short_and_long),
        cmocka_unit_test(bad_ports),
        cmocka_unit_test(volumes_short_and_long),
        cmocka_unit_test(a_volume_of_one_letter_is_no_drive),
        cmocka_unit_test(bad_volumes),
        cmocka_unit_test(networks_of_services),
        cmocka_unit_test(settings_of_one_service),
        cmocka_unit_test(deploy_means_what_the_specification_says),
        cmocka_unit_test(a_maximum_holds_for_restarts_of_any_kind),
        cmocka_unit_test(the_action_on_unhealthy_becomes_a_label),
        cmocka_unit_test(what_is_not_applied_is_noticed),
    };
    return cmocka_run_group_tests_name("compose/load", tests, NULL, NULL);
}
