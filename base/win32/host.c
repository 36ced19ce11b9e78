/* host on Windows. */
#include "base/host.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/win32/win_internal.h"

int host_name(char *out, size_t size, struct err *e)
{
    wchar_t name[256];
    DWORD n = 256;
    cleanup_free char *utf8 = NULL;

    if (!GetComputerNameExW(ComputerNameDnsHostname, name, &n))
        return win_error(e, "read the host's name");
    utf8 = win_utf8(name);
    str_copy(out, size, utf8);
    return 0;
}

/* There is no boot ID, but the session manager counts the boots. */
int host_boot_id(char *out, size_t size, struct err *e)
{
    static const wchar_t key[] = L"SYSTEM\\CurrentControlSet\\Control\\Session Manager\\"
                                 L"Memory Management\\PrefetchParameters";
    DWORD boot = 0, n = sizeof(boot);
    LSTATUS rc =
        RegGetValueW(HKEY_LOCAL_MACHINE, key, L"BootId", RRF_RT_REG_DWORD, NULL, &boot, &n);

    if (rc != ERROR_SUCCESS)
        return win_error_code(e, (DWORD)rc, "read the boot ID");
    (void)!snprintf(out, size, "boot-%lu", (unsigned long)boot);
    return 0;
}

long host_processors(void)
{
    DWORD n = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);

    return n ? (long)n : 1;
}

int host_mount_of(const char *path, char **point, enum host_propagation *is, struct err *e)
{
    (void)point;
    (void)is;
    return err_set(e, ERR_UNSUPPORTED, "mounts of this system do not propagate: %s", path);
}
