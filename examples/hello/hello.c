/*
 * hello: the program of the example, and all that its image holds.
 *
 *     hello web      serves a page on port 8080; asks $STORE for the number of visits
 *     hello store    counts in /data/count, on port 9000
 *
 * One thread, one request at a time, nothing but libc: names are looked up in /etc/hosts by hand,
 * since a static program has no resolver.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define WEB_PORT   8080
#define STORE_PORT 9000

static bool lookup(const char *name, struct in_addr *out)
{
    char line[512];
    bool found = false;
    FILE *hosts = fopen("/etc/hosts", "r");

    while (hosts && !found && fgets(line, sizeof(line), hosts)) {
        char *save = NULL, *address = strtok_r(line, " \t\n", &save), *word;

        while (address && !found && (word = strtok_r(NULL, " \t\n", &save)))
            found = strcmp(word, name) == 0 && inet_pton(AF_INET, address, out) == 1;
    }
    if (hosts)
        fclose(hosts);
    return found || inet_pton(AF_INET, name, out) == 1;
}

static void limit_wait(int fd)
{
    struct timeval two = {.tv_sec = 2};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &two, sizeof(two));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &two, sizeof(two));
}

/* "store:9000" -> what it says, or why it does not. */
static void ask_store(const char *where, char *out, size_t size)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(STORE_PORT)};
    char name[128], *colon;
    ssize_t n;
    int fd;

    snprintf(name, sizeof(name), "%s", where);
    colon = strchr(name, ':');
    if (colon) {
        *colon = '\0';
        to.sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
    }
    snprintf(out, size, "(no answer from %s)", where);
    if (!lookup(name, &to.sin_addr))
        return;
    fd = socket(AF_INET, SOCK_STREAM, 0);
    limit_wait(fd);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
        n = read(fd, out, size - 1);
        if (n > 0)
            out[n] = '\0';
    }
    close(fd);
}

static void serve_page(int fd)
{
    const char *greeting = getenv("GREETING"), *store = getenv("STORE");
    char request[2048], visits[64], host[128] = "", page[1024];
    int n;

    if (read(fd, request, sizeof(request)) <= 0)
        return;
    ask_store(store ? store : "store:9000", visits, sizeof(visits));
    gethostname(host, sizeof(host) - 1);
    n = snprintf(page, sizeof(page),
                 "<!doctype html><title>Hello</title>\n<h1>%s</h1>\n"
                 "<p>Served by container %s. Visits so far: %s</p>\n",
                 greeting ? greeting : "Hello", host, visits);
    dprintf(fd,
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: "
            "close\r\n\r\n%s",
            n, page);
}

static void serve_count(int fd)
{
    long count = 0;
    FILE *f = fopen("/data/count", "r");

    if (f) {
        if (fscanf(f, "%ld", &count) != 1)
            count = 0;
        fclose(f);
    }
    count++;
    f = fopen("/data/count.new", "w");
    if (f) {
        fprintf(f, "%ld\n", count);
        fclose(f);
        rename("/data/count.new", "/data/count");
    }
    dprintf(fd, "%ld", count);
}

static int serve(int port, void (*answer)(int fd))
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(s, (struct sockaddr *)&at, sizeof(at)) || listen(s, 64)) {
        perror("listen");
        return 1;
    }
    printf("listening on port %d\n", port);
    fflush(stdout);
    for (;;) {
        int fd = accept(s, NULL, NULL);

        if (fd < 0)
            continue;
        limit_wait(fd);
        answer(fd);
        shutdown(fd, SHUT_WR);
        close(fd);
    }
}

static void stop(int sig)
{
    (void)sig;
    _exit(0);
}

int main(int argc, char **argv)
{
    signal(SIGTERM, stop); /* the first process of a container has no default action */
    signal(SIGINT, stop);
    signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && strcmp(argv[1], "web") == 0)
        return serve(WEB_PORT, serve_page);
    if (argc > 1 && strcmp(argv[1], "store") == 0)
        return serve(STORE_PORT, serve_count);
    fputs("usage: hello web | store\n", stderr);
    return 2;
}
