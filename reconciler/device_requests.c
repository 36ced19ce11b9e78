/* device_requests: HostConfig.DeviceRequests at the start of a container.  The only driver that is
 * built in is "cdi"; who asks for another is refused in dockerd's words. */
#include <string.h>

#include "base/mem.h"
#include "reconciler/cdi.h"
#include "reconciler/engine_internal.h"

/* "[[gpu compute] [x]]", as Go prints it */
static char *capabilities_text(const struct device_request *r)
{
    cleanup_strv struct strv groups = {0};
    char *text;

    for (size_t i = 0; i < r->capabilities.n; i++)
        strv_addf(&groups, "[%s]", r->capabilities.v[i]);
    text = str_join((const char *const *)groups.v, groups.n, " ");
    for (char *p = text; *p; p++)
        if (*p == '\n')
            *p = ' ';
    return text;
}

int device_requests_meet(struct engine *g, struct run_spec *rs, struct err *e)
{
    for (size_t i = 0; i < rs->spec->n_device_requests; i++) {
        const struct device_request *r = &rs->spec->device_requests[i];

        if (!str_eq(r->driver, "cdi")) {
            cleanup_free char *text = capabilities_text(r);

            return err_set(e, ERR_INTERNAL,
                           "could not select device driver \"%.100s\" with capabilities: [%.200s]",
                           r->driver, text);
        }
        if (r->count != 0)
            return err_set(e, ERR_INTERNAL, "unexpected count in CDI device request");
        if (r->options.n)
            return err_set(e, ERR_INTERNAL, "unexpected options in CDI device request");
        if (cdi_inject(&g->cfg.cdi_dirs, &r->ids, rs, e))
            return -1;
    }
    return 0;
}
