/* command_line: argv and envp in the forms CreateProcess wants. */
#pragma once

#include <wchar.h>

/* Quoted so that CommandLineToArgvW() and the C library take it apart again.  Heap. */
wchar_t *command_line(const char *const *argv);
/* "A=1\0B=2\0\0", sorted regardless of case, as Windows expects it.  Heap. */
wchar_t *command_environment(const char *const *envp);
