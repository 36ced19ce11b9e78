/*
 * log_file: what the drivers that write files share: json-file, local, and the copies of the
 * remote ones.
 *
 * A log is the file `path`, which grows, and the older path.1 (the youngest) to path.<max_files-1>,
 * each perhaps compressed, with ".gz" behind its number.  What is in them is the codec's; writing,
 * rotation (log_file_write.c), reading (log_file_read.c) and the names (log_source.c) are the same
 * for all.  What writer, compressor and readers owe each other:
 *
 * (1) A file that is open is known by its inode.  The compressor writes the inode of what it
 *     compresses into the head of the result, so that a reader finds its place again; and the time
 *     of its last change, since the inode is soon another file's.
 * (2) Files change names while the directory is locked (flock): the writer does not wait for that
 *     lock, it goes on with the file it has and tries again a little later.
 *     Nor is a file compressed while somebody reads it.
 * (3) A reader holds a shared lock on the file it has open, and takes the next file's before it
 *     lets go.  The writer does not drop a second file while somebody still reads one that it has
 *     dropped, until the current file is LOG_FILE_PATIENCE times as large as it should be, and
 *     LOG_FILE_SPARE larger.
 */
#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/time.h"
#include "core/log_driver.h"

#define LOG_FILE_MAX_FILES 1000 /* a rotation renames them one by one */
#define LOG_FILE_PATIENCE  4    /* see (3) */
#define LOG_FILE_SPARE     (4 * 1024 * 1024)
#define LOG_RECORD_MAX     (1024 * 1024) /* longer ones are nobody's: skipped */

/* The option that names the program ballast-log; no user can set it, as check() does not know it.
 * Without it nothing is compressed. */
#define LOG_OPT_COMPRESSOR "ballast.compressor"

/* ------------------------------------------------------------------ records */

struct log_encoder {
    const char *attrs; /* an object's text, or "" */
    size_t attrs_len;
    int64_t time_ns; /* of `time`; TIME_ZERO at first */
    char time[TIME_TEXT_MAX];
    struct {
        uint32_t ordinal; /* of the last part; 0: no line is being split */
        char id[65];
    } parts[2]; /* stdout, stderr */
};

struct log_decoder {
    struct buf text; /* what had to be rewritten */
    bool skipping;   /* inside a record longer than LOG_RECORD_MAX */
    char time[40];   /* what was read last, and */
    size_t time_len; /* what it means */
    int64_t time_ns;
    char date[10];
    int64_t date_ns;
};
#define LOG_DECODER_INIT ((struct log_decoder){.text = BUF_INIT(LOG_RECORD_MAX)})

struct log_codec {
    const char *what; /* for messages */
    /* Bytes that the record of a text of `len` bytes may need, attributes not counted. */
    size_t (*room)(size_t len);
    size_t (*encode)(struct log_encoder *en, char *dst, const struct log_line *line);
    /* One record at p: its size; 0 when more bytes are needed.  *ok: `line` is set, and points into
     * p or the decoder until the next call; else these bytes are none. */
    size_t (*next)(struct log_decoder *d, const char *p, size_t n, bool *ok, struct log_line *line);
    /* Where the last whole record of a file of `size` bytes ends. */
    int (*whole)(int fd, int64_t size, int64_t *end);
    /* Where the last *want records before `end` begin; *want is what is missing then.  -1: it
     * cannot be told from this side. */
    int64_t (*tail)(int fd, int64_t end, int64_t *want);
};

extern const struct log_codec json_codec, local_codec;

/* ------------------------------------------------------------------ the writer, in the shim */

struct log_file_opts {
    int64_t max_size;  /* bytes; -1: no limit */
    int64_t max_files; /* the current one included; at least 1 */
    bool compress;
    const char *attrs, *compressor; /* or NULL */
};

/* "10m" as go-units' FromHumanSize reads it: decimal multiples; 0 or more. */
int log_file_parse_size(const char *text, int64_t *bytes, struct err *e) MUST_USE;
/* As Go's ParseBool. */
int log_file_parse_bool(const char *text, bool *out, struct err *e) MUST_USE;

int log_file_open(const struct log_codec *codec, const char *path, const struct log_file_opts *o,
                  struct log_writer **out, struct err *e) MUST_USE;
int log_file_write(struct log_writer *w, const struct log_line *line, struct err *e) MUST_USE;
int log_file_flush(struct log_writer *w, struct err *e) MUST_USE;
void log_file_close(struct log_writer *w);
uint64_t log_file_lost(struct log_writer *w);

/* ------------------------------------------------------------------ the reader, in the agent */

int log_file_read(const struct log_codec *codec, const char *path, const struct log_read_opts *opts,
                  struct cancel *c, log_each_fn *each, void *arg, struct err *e) MUST_USE;

/* ------------------------------------------------------------------ names */

/* "<path>" for 0, else "<path>.<n>"; caller frees. */
char *log_file_name(const char *path, int64_t n, bool gz);
/* Locks the directory of `path`, see (2); -1 when it cannot be had (now).  Closed to unlock. */
int log_file_lock_names(const char *path, bool wait);

/* Whether somebody has it open who is no writer; see (3). */
bool log_file_is_read(int fd);

/* The program's half of compress=true: all old files of the log `path`, one by one. */
int log_compress(const char *path, struct err *e) MUST_USE;
/* What it writes into the head of the result: {"lastTime":"RFC 3339","ino":number}. */
#define LOG_GZ_TIME      "\"lastTime\":\""
#define LOG_GZ_INO       "\"ino\":"
#define LOG_GZ_EXTRA_MAX 128
#define LOG_GZ_WORK      ".gz.tmp" /* behind `path`: its output, locked while it runs */

/* ------------------------------------------------------------------ one of its files, open */

struct log_source {
    int fd; /* -1: none */
    void *gz;
    ino_t ino;
    struct log_origin { /* compressed: what it was before */
        ino_t ino;      /* 0: it does not say */
        int64_t mtime_ns;
    } origin;
    int64_t offset; /* of the next byte to read, uncompressed */
    int64_t size;   /* when it was opened; -1: compressed */
    int64_t mtime_s;
};
#define LOG_SOURCE_NONE ((struct log_source){.fd = -1})

/* -1 when there is no file of this number. */
int log_source_open(const char *path, int64_t n, struct log_source *out);
void log_source_close(struct log_source *s);
/* Bytes at s->offset, which moves on.  0 at the end (for now), -1: errno. */
int64_t log_source_read(struct log_source *s, char *bytes, size_t n);
int log_source_rewind(struct log_source *s);
bool log_source_same(const struct log_source *a, const struct log_source *b);
/* The number of s's name now; -1 when it has none any more. */
int64_t log_source_number(const char *path, const struct log_source *s);
/* The highest number there is. */
int64_t log_source_oldest(const char *path);
