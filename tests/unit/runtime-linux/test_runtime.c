/* The runtime from its front door: real shims, real containers. */
#include "tests/unit/runtime-linux/runtime_fixture.h"

#include <dirent.h>
#include <sys/wait.h>

#define ops(b) ((b)->f->rt->ops)
#define rt(b)  ((b)->f->rt)

static const struct attach_opts everything = {.in = true, .out = true, .err = true};

static pid_t shim_of(const struct box *b)
{
    struct container_observed o = box_look((struct box *)b);
    cleanup_free char *path = str_printf("/proc/%lld/stat", (long long)o.pid);
    cleanup_buf struct buf text = BUF_INIT(4096);
    const char *p;

    assert_ok(fs_read(path, &text, &e));
    p = strrchr(text.data, ')'); /* ") S <ppid>" */
    assert_non_null(p);
    return (pid_t)strtol(p + 4, NULL, 10);
}

static void a_container_goes_through_its_phases(void **state)
{
    struct box b = box_new(*state, "sleep 1000");
    struct container_observed o = box_look(&b);

    assert_int_equal(o.phase, CONTAINER_ABSENT);
    assert_ok(ops(&b)->ensure_created(rt(&b), b.c, NULL, &e));
    assert_int_equal(box_look(&b).phase, CONTAINER_CREATED);
    assert_ok(ops(&b)->ensure_created(rt(&b), b.c, NULL, &e));
    assert_ok(box_start(&b, &e));
    o = box_look(&b);
    assert_int_equal(o.phase, CONTAINER_RUNNING);
    assert_true(o.pid > 1 && o.started_ns > 0);
    assert_ok(box_start(&b, &e));
    assert_int_equal(box_look(&b).pid, o.pid);
    assert_ok(ops(&b)->ensure_stopped(rt(&b), b.c->id, SIGKILL, 0, NULL, &e));
    o = box_look(&b);
    assert_int_equal(o.phase, CONTAINER_EXITED);
    assert_int_equal(o.exit_code, 137);
    assert_false(o.lost);
    assert_true(o.finished_ns >= o.started_ns);
    assert_ok(ops(&b)->ensure_stopped(rt(&b), b.c->id, SIGKILL, 0, NULL, &e));
    assert_ok(ops(&b)->ensure_absent(rt(&b), b.c->id, &e));
    assert_int_equal(box_look(&b).phase, CONTAINER_ABSENT);
    box_free(&b);
}

static void exit_codes_and_output_are_kept(void **state)
{
    static const int codes[] = {0, 3, 125, 255};

    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        cleanup_free char *script = str_printf("echo out; echo err >&2; exit %d", codes[i]);
        cleanup_buf struct buf log = BUF_INIT(4096);
        struct box b = box_new(*state, script);

        assert_ok(box_start(&b, &e));
        assert_int_equal(box_wait(&b).exit_code, codes[i]);
        box_log(&b, &log);
        assert_int_equal(log.len, 8);
        assert_non_null(strstr(log.data, "out\n"));
        assert_non_null(strstr(log.data, "err\n"));
        box_free(&b);
    }
}

static void a_missing_command_is_said_in_words_clients_know(void **state)
{
    struct box b = box_new(*state, NULL);
    struct err e = ERR_INIT;

    strv_add(&b.run->argv, "nosuchcommand");
    assert_int_equal(box_start(&b, &e), -1);
    assert_non_null(strstr(e.msg, "exec: \"nosuchcommand\": executable file not found in $PATH"));
    assert_int_equal(box_look(&b).phase, CONTAINER_CREATED);
    /* The same shim takes another try. */
    strv_release(&b.run->argv);
    strv_add(&b.run->argv, "/etc");
    e = ERR_INIT;
    assert_int_equal(box_start(&b, &e), -1);
    assert_non_null(strstr(e.msg, "permission denied"));
    strv_release(&b.run->argv);
    strv_add(&b.run->argv, "true");
    assert_ok(box_start(&b, &e));
    assert_int_equal(box_wait(&b).exit_code, 0);
    box_free(&b);
}

static void attach_before_start_loses_nothing_and_half_close_ends_stdin(void **state)
{
    struct box b = box_new(*state, "cat; echo done >&2");
    cleanup_buf struct buf out = BUF_INIT(1024), err = BUF_INIT(1024);
    struct stream *io = NULL;

    box_spec(&b)->open_stdin = box_spec(&b)->stdin_once = true;
    assert_ok(ops(&b)->ensure_created(rt(&b), b.c, NULL, &e));
    assert_ok(ops(&b)->attach(rt(&b), b.c->id, &everything, &io, &e));
    assert_ok(stream_write(io, "hi\n", 3, NULL, &e));
    assert_ok(stream_close_write(io, &e));
    assert_ok(box_start(&b, &e));
    read_frames(io, &out, &err, NULL);
    assert_string_equal(out.data, "hi\n");
    assert_string_equal(err.data, "done\n");
    assert_int_equal(box_wait(&b).exit_code, 0);
    stream_free(io);
    box_free(&b);
}

static void a_terminal_has_the_size_asked_for_and_can_be_resized(void **state)
{
    struct box b = box_new(*state, "stty size; tty; read x; stty size");
    cleanup_buf struct buf out = BUF_INIT(4096);
    struct stream *io = NULL;

    box_spec(&b)->tty = box_spec(&b)->open_stdin = true;
    assert_ok(ops(&b)->ensure_created(rt(&b), b.c, NULL, &e));
    assert_ok(ops(&b)->attach(rt(&b), b.c->id, &everything, &io, &e));
    assert_ok(ops(&b)->resize_tty(rt(&b), b.c->id, 33, 101, &e)); /* clients do so before */
    assert_ok(box_start(&b, &e));
    time_sleep_ms(200);
    assert_ok(ops(&b)->resize_tty(rt(&b), b.c->id, 40, 120, &e));
    assert_ok(stream_write(io, "\n", 1, NULL, &e));
    read_frames(io, &out, NULL, NULL);
    assert_non_null(strstr(out.data, "33 101\r\n"));
    assert_non_null(strstr(out.data, "/dev/pts/0\r\n"));
    assert_non_null(strstr(out.data, "40 120\r\n"));
    assert_int_equal(box_wait(&b).exit_code, 0);
    stream_free(io);
    box_free(&b);
}

static void exec_init(struct exec_spec *x, const char *script)
{
    char id[ID_LEN + 1];

    *x = (struct exec_spec){.attach_stdin = true, .attach_stdout = true, .attach_stderr = true};
    id_new(id);
    x->id = xstrdup(id);
    strv_add(&x->argv, "sh");
    strv_add(&x->argv, "-c");
    strv_add(&x->argv, script);
}

static void an_exec_has_its_own_streams_and_exit_code(void **state)
{
    struct fixture *f = *state;
    struct box b = box_new(f, "sleep 1000");
    cleanup_buf struct buf out = BUF_INIT(1024), err = BUF_INIT(1024);
    struct exec_spec x;
    struct stream *io = NULL;
    cleanup_free char *seen = NULL;
    int64_t pid = 0;
    int code = -1;

    strv_add(&b.run->env, "FROM=container");
    assert_ok(box_start(&b, &e));
    exec_init(&x, "cat; echo $FROM $OWN >&2; exit 42");
    strv_add(&x.env, "OWN=exec");
    assert_ok(ops(&b)->exec(rt(&b), b.c->id, &x, &io, &pid, &e));
    assert_true(pid > 1);
    assert_ok(stream_write(io, "in", 2, NULL, &e));
    assert_ok(stream_close_write(io, &e));
    read_frames(io, &out, &err, &code);
    assert_string_equal(out.data, "in");
    assert_string_equal(err.data, "container exec\n");
    assert_int_equal(code, 42);
    stream_free(io);
    seen = str_printf("%s=42", x.id);
    for (int i = 0; i < 400 && !has_exec_exit(&f->events, seen); i++)
        time_sleep_ms(5);
    assert_true(has_exec_exit(&f->events, seen));
    exec_spec_release(&x);
    assert_int_equal(box_look(&b).phase, CONTAINER_RUNNING);
    box_free(&b);
}

static void an_exec_with_a_terminal_has_the_size_asked_for(void **state)
{
    struct box b = box_new(*state, "sleep 1000");
    cleanup_buf struct buf out = BUF_INIT(1024);
    struct exec_spec x;
    struct stream *io = NULL;
    int code = -1;

    assert_ok(box_start(&b, &e));
    exec_init(&x, "stty size; read x; stty size; exit 5");
    x.tty = true;
    x.height = 20;
    x.width = 70;
    assert_ok(ops(&b)->exec(rt(&b), b.c->id, &x, &io, NULL, &e));
    time_sleep_ms(200);
    assert_ok(ops(&b)->exec_resize(rt(&b), b.c->id, x.id, 25, 80, &e));
    assert_ok(stream_write(io, "\n", 1, NULL, &e));
    read_frames(io, &out, NULL, &code);
    assert_non_null(strstr(out.data, "20 70\r\n"));
    assert_non_null(strstr(out.data, "25 80\r\n"));
    assert_int_equal(code, 5);
    stream_free(io);
    exec_spec_release(&x);
    box_free(&b);
}

static void an_exec_that_cannot_start_says_why(void **state)
{
    struct box b = box_new(*state, "sleep 1000");
    struct exec_spec x;
    struct err e = ERR_INIT;
    struct stream *io = NULL;

    exec_init(&x, "true");
    assert_int_equal(ops(&b)->exec(rt(&b), b.c->id, &x, &io, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_CONFLICT);
    assert_non_null(strstr(e.msg, "is not running"));
    assert_ok(box_start(&b, &e));
    strv_release(&x.argv);
    strv_add(&x.argv, "nosuchcommand");
    e = ERR_INIT;
    assert_int_equal(ops(&b)->exec(rt(&b), b.c->id, &x, &io, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(e.msg, "executable file not found"));
    exec_spec_release(&x);
    box_free(&b);
}

static void a_background_child_of_an_exec_does_not_hold_its_end(void **state)
{
    struct box b = box_new(*state, "sleep 1000");
    cleanup_buf struct buf out = BUF_INIT(1024);
    struct exec_spec x;
    struct stream *io = NULL;
    int64_t begin = time_mono_ms();
    int code = -1;

    assert_ok(box_start(&b, &e));
    exec_init(&x, "sleep 100 & echo started");
    assert_ok(ops(&b)->exec(rt(&b), b.c->id, &x, &io, NULL, &e));
    read_frames(io, &out, NULL, &code);
    assert_string_equal(out.data, "started\n");
    assert_int_equal(code, 0);
    assert_true(time_mono_ms() - begin < 10000);
    stream_free(io);
    exec_spec_release(&x);
    box_free(&b);
}

static void a_paused_container_does_not_run_and_can_be_stopped(void **state)
{
    struct box b = box_new(*state, "trap 'exit 9' TERM; while :; do date +%N; done");
    struct stat before, after;

    assert_ok(box_start(&b, &e));
    time_sleep_ms(100);
    assert_ok(ops(&b)->ensure_paused(rt(&b), b.c->id, true, &e));
    assert_int_equal(box_look(&b).phase, CONTAINER_PAUSED);
    time_sleep_ms(50);
    assert_int_equal(stat(b.run->log_path, &before), 0);
    time_sleep_ms(150);
    assert_int_equal(stat(b.run->log_path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    assert_ok(ops(&b)->ensure_paused(rt(&b), b.c->id, false, &e));
    assert_int_equal(box_look(&b).phase, CONTAINER_RUNNING);
    assert_ok(ops(&b)->ensure_paused(rt(&b), b.c->id, true, &e));
    assert_ok(ops(&b)->ensure_stopped(rt(&b), b.c->id, SIGTERM, 10000, NULL, &e));
    assert_int_equal(box_look(&b).exit_code, 9);
    box_free(&b);
}

static void stop_waits_for_the_grace_and_kills_then(void **state)
{
    struct box polite = box_new(*state, "trap 'exit 7' TERM; while :; do sleep 0.05; done");
    struct box stubborn = box_new(*state, "trap '' TERM; while :; do sleep 0.05; done");
    int64_t begin;

    assert_ok(box_start(&polite, &e));
    assert_ok(box_start(&stubborn, &e));
    time_sleep_ms(200); /* for the traps */
    assert_ok(ops(&polite)->ensure_stopped(rt(&polite), polite.c->id, SIGTERM, 10000, NULL, &e));
    assert_int_equal(box_look(&polite).exit_code, 7);
    begin = time_mono_ms();
    assert_ok(
        ops(&stubborn)->ensure_stopped(rt(&stubborn), stubborn.c->id, SIGTERM, 300, NULL, &e));
    assert_in_range(time_mono_ms() - begin, 250, 5000);
    assert_int_equal(box_look(&stubborn).exit_code, 137);
    box_free(&polite);
    box_free(&stubborn);
}

static void signals_reach_the_first_process(void **state)
{
    struct box b = box_new(*state, "trap 'echo usr1; exit 0' USR1; while :; do sleep 0.05; done");
    cleanup_buf struct buf log = BUF_INIT(1024);

    assert_err(ops(&b)->signal(rt(&b), b.c->id, SIGUSR1, &e), ERR_CONFLICT);
    assert_ok(box_start(&b, &e));
    time_sleep_ms(200);
    assert_ok(ops(&b)->signal(rt(&b), b.c->id, SIGUSR1, &e));
    assert_int_equal(box_wait(&b).exit_code, 0);
    box_log(&b, &log);
    assert_string_equal(log.data, "usr1\n");
    box_free(&b);
}

static void the_oom_killer_leaves_its_mark(void **state)
{
    struct box b = box_new(*state, "head -c 200m /dev/zero | tail -c 190m | wc -c");
    struct container_observed o;

    box_spec(&b)->memory = 16 * 1024 * 1024;
    assert_ok(box_start(&b, &e));
    o = box_wait(&b);
    assert_true(o.oom_killed);
    box_free(&b);
}

static bool may_lower_oom_score(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);
    bool may = write(fd, "-1", 2) == 2;

    (void)!write(fd, "0", 1);
    close(fd);
    return may;
}

static void the_shim_is_spared_by_the_oom_killer_and_the_container_is_not(void **state)
{
    struct box b = box_new(*state, "cat /proc/self/oom_score_adj; sleep 1000");
    cleanup_buf struct buf log = BUF_INIT(1024), shim = BUF_INIT(1024);
    cleanup_free char *path = NULL;

    assert_ok(box_start(&b, &e));
    path = str_printf("/proc/%d/oom_score_adj", (int)shim_of(&b));
    assert_ok(fs_read(path, &shim, &e));
    assert_string_equal(shim.data, may_lower_oom_score() ? "-999\n" : "0\n");
    for (int i = 0; i < 400 && log.len == 0; i++) {
        time_sleep_ms(5);
        box_log(&b, &log);
    }
    assert_string_equal(log.data, "0\n");
    box_free(&b);
}

static void pids_are_the_hosts(void **state)
{
    struct box b = box_new(*state, "sleep 1000 & sleep 1000 & wait");
    int64_t *pids = NULL;
    size_t n = 0;
    bool first = false;

    assert_ok(box_start(&b, &e));
    for (int i = 0; i < 200 && n != 3; i++) {
        free(take_ptr(pids));
        assert_ok(ops(&b)->pids(rt(&b), b.c->id, &pids, &n, &e));
        time_sleep_ms(5);
    }
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++)
        first |= pids[i] == box_look(&b).pid;
    assert_true(first);
    free(pids);
    box_free(&b);
}

static void a_container_can_have_many_lives(void **state)
{
    struct box b = box_new(*state, "echo again; exit 4");
    cleanup_buf struct buf log = BUF_INIT(1024);

    for (int i = 0; i < 5; i++) {
        assert_ok(box_start(&b, &e));
        assert_int_equal(box_wait(&b).exit_code, 4);
    }
    box_log(&b, &log);
    assert_string_equal(log.data, "again\nagain\nagain\nagain\nagain\n");
    box_free(&b);
}

static void watchers_hear_of_starts_and_exits(void **state)
{
    struct fixture *f = *state;
    struct box b = box_new(f, "read x");

    box_spec(&b)->open_stdin = true;
    assert_ok(box_start(&b, &e));
    for (int i = 0; i < 400 && changes(&f->events, b.c->id) < 1; i++)
        time_sleep_ms(5);
    assert_true(changes(&f->events, b.c->id) >= 1);
    assert_ok(ops(&b)->ensure_stopped(rt(&b), b.c->id, SIGKILL, 0, NULL, &e));
    for (int i = 0; i < 400 && changes(&f->events, b.c->id) < 2; i++)
        time_sleep_ms(5);
    assert_true(changes(&f->events, b.c->id) >= 2);
    box_free(&b);
}

static void the_next_agent_takes_over_what_runs(void **state)
{
    struct fixture *f = *state;
    struct box b = box_new(f, "echo one; read x; echo $x; exit 6");
    cleanup_buf struct buf out = BUF_INIT(1024), log = BUF_INIT(1024);
    struct stream *io = NULL;
    int64_t pid;
    size_t heard;

    box_spec(&b)->open_stdin = true;
    assert_ok(box_start(&b, &e));
    pid = box_look(&b).pid;
    for (int i = 0; i < 400 && log.len == 0; i++) {
        time_sleep_ms(5);
        box_log(&b, &log);
    }
    buf_reset(&log);
    f->rt->ops->free(f->rt); /* this agent ends, in the middle of everything */
    f->rt = open_runtime(f);
    assert_int_equal(box_look(&b).phase, CONTAINER_RUNNING);
    assert_int_equal(box_look(&b).pid, pid);
    heard = changes(&f->events, b.c->id);
    assert_ok(ops(&b)->attach(rt(&b), b.c->id, &everything, &io, &e));
    assert_ok(stream_write(io, "two\n", 4, NULL, &e));
    read_frames(io, &out, NULL, NULL);
    assert_string_equal(out.data, "two\n");
    assert_int_equal(box_wait(&b).exit_code, 6);
    box_log(&b, &log);
    assert_string_equal(log.data, "one\ntwo\n");
    for (int i = 0; i < 400 && changes(&f->events, b.c->id) == heard; i++)
        time_sleep_ms(5);
    assert_true(changes(&f->events, b.c->id) > heard);
    stream_free(io);
    box_free(&b);
}

static void a_killed_shim_takes_its_container_along_and_is_told_as_lost(void **state)
{
    struct fixture *f = *state;
    struct box b = box_new(f, "sleep 1000");
    struct container_observed o;
    int64_t pid;
    size_t heard;

    assert_ok(box_start(&b, &e));
    pid = box_look(&b).pid;
    heard = changes(&f->events, b.c->id);
    kill(shim_of(&b), SIGKILL);
    for (int i = 0; i < 400 && kill((pid_t)pid, 0) == 0; i++)
        time_sleep_ms(5); /* without anybody looking */
    assert_int_equal(kill((pid_t)pid, 0), -1);
    o = box_wait(&b);
    assert_true(o.lost);
    assert_int_equal(o.exit_code, 137);
    assert_true(o.started_ns > 0);
    time_sleep_ms(2);
    assert_int_equal(box_look(&b).finished_ns, o.finished_ns); /* it ended once */
    assert_true(box_look(&b).lost);
    for (int i = 0; i < 400 && changes(&f->events, b.c->id) == heard; i++)
        time_sleep_ms(5);
    assert_true(changes(&f->events, b.c->id) > heard);
    assert_ok(box_start(&b, &e)); /* and there is a next life */
    assert_int_equal(box_look(&b).phase, CONTAINER_RUNNING);
    box_free(&b);
}

static void a_client_that_vanishes_does_not_stop_the_container(void **state)
{
    struct box b = box_new(*state, "seq 1 200000; echo end");
    cleanup_buf struct buf log = BUF_INIT(16 * 1024 * 1024);
    struct stream *reads_nothing = NULL, *leaves = NULL;

    assert_ok(ops(&b)->ensure_created(rt(&b), b.c, NULL, &e));
    assert_ok(ops(&b)->attach(rt(&b), b.c->id, &everything, &reads_nothing, &e));
    assert_ok(ops(&b)->attach(rt(&b), b.c->id, &everything, &leaves, &e));
    assert_ok(box_start(&b, &e));
    time_sleep_ms(100);
    assert_int_equal(box_look(&b).phase, CONTAINER_RUNNING); /* held back, as by a pipe */
    stream_free(leaves);
    stream_free(reads_nothing);
    assert_int_equal(box_wait(&b).exit_code, 0);
    box_log(&b, &log);
    assert_true(str_ends(log.data, "199999\n200000\nend\n"));
    box_free(&b);
}

static void a_process_left_behind_goes_with_the_first(void **state)
{
    struct box b = box_new(*state, "sleep 1000 & echo first; exit 2");
    int64_t begin = time_mono_ms();

    assert_ok(box_start(&b, &e));
    assert_int_equal(box_wait(&b).exit_code, 2);
    assert_true(time_mono_ms() - begin < 5000);
    box_free(&b);
}

static size_t open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void fifty_containers_start_stop_and_leave_nothing(void **state)
{
    enum { N = 50 };
    struct fixture *f = *state;
    struct box boxes[N];
    cleanup_strv struct strv ids = {0};
    size_t before = open_descriptors();

    for (int i = 0; i < N; i++) {
        boxes[i] = box_new(f, i % 2 ? "sleep 1000" : "echo x; exit 1");
        assert_ok(box_start(&boxes[i], &e));
    }
    for (int i = 0; i < N; i++) {
        if (i % 2)
            assert_ok(ops(&boxes[i])->ensure_stopped(f->rt, boxes[i].c->id, SIGKILL, 0, NULL, &e));
        assert_int_equal(box_wait(&boxes[i]).exit_code, i % 2 ? 137 : 1);
    }
    for (int i = 0; i < N; i++)
        box_free(&boxes[i]);
    assert_ok(f->rt->ops->list(f->rt, &ids, &e));
    assert_int_equal(ids.n, 0);
    for (int i = 0; i < 200 && open_descriptors() > before; i++)
        time_sleep_ms(5); /* the watch hears of the last ends */
    assert_int_equal(open_descriptors(), before);
}

/* What an agent does to its containers until it is killed: everything, again and again. */
static void be_an_agent(struct fixture *f, struct box *boxes, size_t n, unsigned seed)
{
    const struct runtime_config cfg = {
        .data_root = f->data_root, .exec_root = f->exec_root, .shim_path = shim_under_test()};
    const struct runtime_events ev = {
        .changed = on_changed, .exec_exited = on_exec_exited, .arg = &f->events};
    struct runtime *rt = NULL;
    struct err e;

    if (runtime_open(&cfg, &rt, &e) || rt->ops->watch(rt, &ev, &e))
        _exit(1);
    for (;;) {
        struct box *b = &boxes[(size_t)rand_r(&seed) % n];

        e = ERR_INIT;
        if (rand_r(&seed) % 3)
            (void)rt->ops->ensure_running(rt, b->c, b->run, NULL, &e);
        else if (rand_r(&seed) % 2)
            (void)rt->ops->ensure_stopped(rt, b->c->id, SIGKILL, 0, NULL, &e);
        else
            (void)rt->ops->ensure_absent(rt, b->c->id, &e);
    }
}

static void an_agent_killed_at_any_moment_leaves_what_the_next_can_go_on_with(void **state)
{
    enum { N = 4, KILLS = 40 };
    struct fixture *f = *state;
    struct box boxes[N];
    unsigned seed = 5;

    for (int i = 0; i < N; i++) {
        boxes[i] = box_new(f, "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done");
        container_spec_free(boxes[i].run->spec);
        boxes[i].run->spec = container_spec_copy(boxes[i].c->spec);
    }
    for (int k = 0; k < KILLS; k++) {
        pid_t pid = fork();

        if (pid == 0)
            be_an_agent(f, boxes, N, (unsigned)k);
        time_sleep_ms(10 + rand_r(&seed) % 60);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
    for (int i = 0; i < N; i++) {
        assert_ok(box_start(&boxes[i], &e));
        assert_int_equal(box_look(&boxes[i]).phase, CONTAINER_RUNNING);
    }
    time_sleep_ms(50);
    for (int i = 0; i < N; i++) {
        cleanup_buf struct buf log = BUF_INIT(16 * 1024 * 1024);
        long expected = 1;
        char *save = NULL;

        assert_ok(f->rt->ops->ensure_stopped(f->rt, boxes[i].c->id, SIGKILL, 0, NULL, &e));
        assert_false(box_look(&boxes[i]).lost);
        box_log(&boxes[i], &log);
        /* Each life counts from one, and no line of it is missing. */
        for (char *l = strtok_r(log.data, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
            long value = strtol(l, NULL, 10);

            assert_true(value == expected || value == 1);
            expected = value + 1;
        }
        box_free(&boxes[i]);
    }
}

static void the_doctor_has_a_line_per_feature(void **state)
{
    struct fixture *f = *state;
    cleanup_strv struct strv lines = {0};

    f->rt->ops->doctor(f->rt, &lines);
    assert_true(lines.n > 15);
    for (size_t i = 0; i < lines.n; i++) {
        const char *tab = strchr(lines.v[i], '\t');

        assert_non_null(tab);
        assert_non_null(strchr(tab + 1, '\t'));
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        T(a_container_goes_through_its_phases),
        T(exit_codes_and_output_are_kept),
        T(a_missing_command_is_said_in_words_clients_know),
        T(attach_before_start_loses_nothing_and_half_close_ends_stdin),
        T(a_terminal_has_the_size_asked_for_and_can_be_resized),
        T(an_exec_has_its_own_streams_and_exit_code),
        T(an_exec_with_a_terminal_has_the_size_asked_for),
        T(an_exec_that_cannot_start_says_why),
        T(a_background_child_of_an_exec_does_not_hold_its_end),
        T(a_paused_container_does_not_run_and_can_be_stopped),
        T(stop_waits_for_the_grace_and_kills_then),
        T(signals_reach_the_first_process),
        T(the_oom_killer_leaves_its_mark),
        T(the_shim_is_spared_by_the_oom_killer_and_the_container_is_not),
        T(pids_are_the_hosts),
        T(a_container_can_have_many_lives),
        T(watchers_hear_of_starts_and_exits),
        T(the_next_agent_takes_over_what_runs),
        T(a_killed_shim_takes_its_container_along_and_is_told_as_lost),
        T(a_client_that_vanishes_does_not_stop_the_container),
        T(a_process_left_behind_goes_with_the_first),
        T(fifty_containers_start_stop_and_leave_nothing),
        T(an_agent_killed_at_any_moment_leaves_what_the_next_can_go_on_with),
        T(the_doctor_has_a_line_per_feature),
    };
    int code = 0;

    if (!runtime_tests_can_run(&code))
        return code;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
