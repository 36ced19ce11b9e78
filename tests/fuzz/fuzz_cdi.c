/* A CDI spec from whoever installed a device's software, and what its devices make of a container.
 */
#include "tests/fuzz/fuzz.h"

#include "compose/yaml.h"
#include "core/runtime.h"
#include "reconciler/cdi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run_spec *rs;
    struct cdi_spec s = {0};
    struct err e = ERR_INIT;
    const struct yaml_node *devices;

    if (cdi_spec_parse((const char *)data, size, "spec.yaml", &s, &e))
        return 0;
    rs = run_spec_new();
    rs->spec = container_spec_new();
    devices = yaml_get(s.doc.root, "devices");
    (void)!cdi_apply(yaml_get(s.doc.root, "containerEdits"), rs, &e);
    for (size_t i = 0; i < devices->n; i++)
        (void)!cdi_apply(yaml_get(devices->items[i], "containerEdits"), rs, &e);
    run_spec_free(rs);
    cdi_spec_release(&s);
    return 0;
}
