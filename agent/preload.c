/* preload: see preload.h. */
#include "agent/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "images/images.h"

static int read_fd(void *arg, void *buf, size_t n, size_t *got, struct err *e)
{
    ssize_t r = read(*(int *)arg, buf, n);

    if (r < 0)
        return err_os(e, errno, "read");
    *got = (size_t)r;
    return 0;
}

static int ignore_progress(void *arg, const struct progress *p, struct err *e)
{
    (void)arg;
    (void)p;
    (void)e;
    return 0;
}

static char *image_name(const char *file)
{
    char *name = str_ndup(file, strlen(file) - strlen(".tar"));

    for (char *p = name; *p; p++)
        *p = *p == '%' ? '/' : *p == '@' ? ':' : *p;
    return name;
}

static int load_one(struct images *im, const char *dir, const char *file, struct err *e)
{
    cleanup_free char *path = path_join(dir, file), *name = image_name(file);
    cleanup_image struct image *there = NULL;
    cleanup_fd int fd = -1;

    if (images_find(im, name, &there, ERR_IGNORE) == 0)
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_os(e, errno, "open %s", path);
    if (images_load(im, read_fd, &fd, ignore_progress, NULL, NULL, NULL, e))
        return err_wrap(e, "load %s", path);
    log_info("image loaded", "name=%s file=%s", name, path);
    return 0;
}

static char *default_dir(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    cleanup_free char *bin = NULL;

    if (n < 0)
        return NULL;
    self[n] = '\0';
    bin = path_dir(self);
    return path_join(bin, "../share/ballast/images");
}

int preload_images(struct images *im, const char *dir, struct err *e)
{
    cleanup_free char *found = dir ? xstrdup(dir) : default_dir();
    cleanup_strv struct strv names = {0};

    if (!found || (!dir && !fs_is_dir(found)))
        return 0;
    if (fs_list(found, &names, e))
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        struct err bad = ERR_INIT;

        /* A bad archive is no reason to leave every container without its agent. */
        if (str_ends(names.v[i], ".tar") && load_one(im, found, names.v[i], &bad))
            log_error("image not loaded", "file=%s error=%s", names.v[i], log_quote(bad.msg));
    }
    return 0;
}
