/*
 * term: the terminal and the standard streams, as far as they differ between platforms.
 * posix/term.c and win32/term.c implement it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"

bool term_is_tty(int fd); /* 0, 1, 2 */
bool term_size(unsigned *rows, unsigned *columns);
/* Keys reach the program as they are pressed; undone by term_restore(), also at exit. */
int term_raw(struct err *e) MUST_USE;
void term_restore(void);
/* Standard input; *got is 0 at its end. */
int term_read(void *bytes, size_t n, size_t *got, struct err *e) MUST_USE;
/* All n bytes to 1 or 2, past stdio's buffer. */
int term_write(int fd, const void *bytes, size_t n, struct err *e) MUST_USE;
/* A file to read, or standard input for "-"; term_close_file() ends it. */
int term_open_file(const char *path, int *fd, struct err *e) MUST_USE;
int term_read_file(int fd, void *bytes, size_t n, size_t *got, struct err *e) MUST_USE;
void term_close_file(int fd);
/* A new file in the place of an old one. */
int term_create_file(const char *path, int *fd, struct err *e) MUST_USE;
/* A pipe that no child inherits by itself: fds[0] is read, fds[1] written. */
int term_pipe(int fds[2], struct err *e) MUST_USE;
/* Another name for a file, through which it can be read. */
int term_alias(const char *path, const char *as, struct err *e) MUST_USE;
unsigned term_mode(const char *path); /* of a directory, for a copy of it */
/*
 * From now on fn is told, on a thread of its own, what would have ended the program ("INT", "TERM",
 * "HUP", "QUIT") and that the window has another size ("WINCH").  To be called before any other
 * thread is started.
 */
typedef void term_signal_fn(void *arg, const char *name);
int term_on_signal(term_signal_fn *fn, void *arg, struct err *e) MUST_USE;
char *term_working_dir(void);
